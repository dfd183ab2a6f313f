package applier

import (
	"testing"

	"pgregory.net/rapid"
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
