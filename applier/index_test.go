package applier

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
)

// Keys of one width are told apart as their bytes are, by number as by text, also in an index that was used before.
func TestKeysAreFoundByNumberAsByText(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		width := rapid.IntRange(1, 8).Draw(r, "width")
		numbers, texts := newKeyIndex(true), newKeyIndex(false)
		key := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xff}), rapid.Byte()), width, width)
		for n := range rapid.IntRange(0, 100).Draw(r, "keys") {
			k := key.Draw(r, "key")
			i, ok := numbers.get(k)
			if j, there := texts.get(k); ok != there || i != j {
				r.Fatalf("%x is %d, %v by number, %d, %v by text", k, i, ok, j, there)
			}
			if !ok {
				numbers.set(string(k), n)
				texts.set(string(k), n)
			}
			if rapid.IntRange(0, 49).Draw(r, "clear") == 0 {
				numbers.clear()
				texts.clear()
			}
			if numbers.size() != texts.size() {
				r.Fatalf("%d and %d keys", numbers.size(), texts.size())
			}
		}
	})
}

// A key that comes to be NULL, which no target takes, is not taken for an empty one that stays as it is.
func TestAKeyThatBecomesNull(t *testing.T) {
	empty, null := modelRow{v: 1}.image(), modelRow{v: 2}.image()
	null = append([]byte{null[0] | 1}, null[2:]...) // Without its text, of length 0.
	for name, images := range map[string][2][]byte{"an empty text becomes NULL": {empty, null}, "NULL becomes an empty text": {null, empty}} {
		_, err := mergeRows(t.Context(), newTestApplier(bound(t, modelTable(0), plainMap)), rowsOf(plainMap, change.Update, 0, images[0], images[1]))
		if f := change.FaultOf(err); f == nil || f.Code != "BS-SCHEMA-MISMATCH" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
