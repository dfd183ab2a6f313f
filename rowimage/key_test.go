package rowimage

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/binseal/binseal/schema"

	"pgregory.net/rapid"
)

// Keys of two strings sort as the pairs do, and no two of them are the same: the border between the parts cannot
// move. All pairs of short strings over the bytes that the encoding itself uses are tried.
func TestKeyPartsAreKeptApart(t *testing.T) {
	m, table := tableOf(varbinaryColumn("a"), varbinaryColumn("b"))
	k := &schema.Key{Name: "k", Weighed: true, Parts: []schema.KeyPart{{Column: 0}, {Column: 1}}}
	table.Secondary = []*schema.Key{k}
	l := mustBind(t, m, table)
	parts := []string{""}
	for from, length := 0, 1; length <= 3; length++ {
		for end := len(parts); from < end; from++ {
			for _, b := range []string{"\x00", "\x01", "\xfe", "\xff"} {
				parts = append(parts, parts[from]+b)
			}
		}
	}
	slices.Sort(parts)
	var last []byte
	for _, a := range parts {
		for _, b := range parts {
			key, null, err := l.AppendKey(nil, image(long(a), long(b)), k)
			if err != nil || null {
				t.Fatal(null, err)
			}
			if bytes.Compare(last, key) >= 0 || last != nil && bytes.HasPrefix(key, last) {
				t.Fatalf("%q, %q: key % x after % x", a, b, key, last)
			}
			last = key
		}
	}
}

// Floating point keys sort as numbers do, with one zero.
func TestFloatKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, math.MaxFloat64, 5e-324}))
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		key := func(f float64) []byte { return appendFloatKey(nil, littleEndianBytes(math.Float64bits(f))) }
		if got := bytes.Compare(key(a), key(b)); got != cmp.Compare(a+0, b+0) {
			t.Fatalf("%g and %g compare as %d", a, b, got)
		}
	})
}

func littleEndianBytes(u uint64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(u >> (8 * i))
	}
	return b
}

func TestKeyWithNull(t *testing.T) {
	m, table := tableOf(intColumn("a"), intColumn("b"))
	k := &schema.Key{Name: "k", Weighed: true, Parts: []schema.KeyPart{{Column: 1}, {Column: 0}}}
	table.Secondary = []*schema.Key{k}
	l := mustBind(t, m, table)
	for name, img := range map[string][]byte{"first": image(nil, int4(1)), "second": image(int4(1), nil), "both": image(nil, nil)} {
		out, null, err := l.AppendKey([]byte("x"), img, k)
		if !null || err != nil || string(out) != "x" {
			t.Errorf("%s: got %q, %v, %v", name, out, null, err)
		}
	}
	if _, _, err := l.AppendKey(nil, image(int4(1), int4(2)), &schema.Key{Name: "other"}); err == nil {
		t.Error("a key of another table: no error")
	}
}

// The negative zero of a DECIMAL, which some servers stored, is the same key as zero.
func TestDecimalKeyHasOneZero(t *testing.T) {
	zero, negative := appendDecimalKey(nil, []byte{0x80, 0, 0}), appendDecimalKey(nil, []byte{0x7f, 0xff, 0xff})
	if !bytes.Equal(zero, negative) {
		t.Errorf("% x and % x", zero, negative)
	}
	if small := appendDecimalKey(nil, []byte{0x7f, 0xff, 0xfe}); bytes.Compare(small, zero) >= 0 {
		t.Errorf("% x does not sort before zero", small)
	}
}
