package schema

import (
	"bytes"
	"testing"
)

// Ids of collations, as information_schema.COLLATIONS has them on every server.
const (
	latin1SwedishCI  = 8
	asciiGeneralCI   = 11
	latin1German2CI  = 31
	utf8mb3GeneralCI = 33
	utf8mb4GeneralCI = 45
	utf8mb4Bin       = 46
	utf8mb4UnicodeCI = 224
	utf8mb4Czech     = 234
	utf8mb40900AICI  = 255
	utf8mb40900ASCS  = 278
	utf8mb40900Bin   = 309
)

func weigh(t testing.TB, id uint16, s string) []byte {
	t.Helper()
	w, ok := Weigher(id)
	if !ok {
		t.Fatalf("collation %d is not offered", id)
	}
	out, err := w([]byte("kept"), []byte(s))
	if err != nil {
		t.Fatalf("collation %d: %v", id, err)
	}
	rest, kept := bytes.CutPrefix(out, []byte("kept"))
	if !kept {
		t.Fatalf("collation %d: the weight is not appended", id)
	}
	return rest
}

func TestWeigherEquality(t *testing.T) {
	for sentence, test := range map[string]struct {
		id   uint16
		a, b string
		want bool
	}{
		"accents and case do not count under ai_ci":          {utf8mb40900AICI, "Résumé", "RESUME", true},
		"they count under as_cs":                             {utf8mb40900ASCS, "Résumé", "Resume", false},
		"ß is ss under ai_ci":                                {utf8mb40900AICI, "Straße", "STRASSE", true},
		"ß is s under general_ci":                            {utf8mb4GeneralCI, "ß", "S", true},
		"and not ss":                                         {utf8mb4GeneralCI, "ß", "ss", false},
		"characters outside of the BMP are one there":        {utf8mb4GeneralCI, "😀", "🙂", true},
		"trailing spaces count under NO PAD":                 {utf8mb40900AICI, "a", "a ", false},
		"also under the NO PAD binary collation":             {utf8mb40900Bin, "a", "a ", false},
		"they do not under PAD SPACE":                        {utf8mb4GeneralCI, "a", "a  ", true},
		"nor under its binary collation":                     {utf8mb4Bin, "a", "a  ", true},
		"case counts under a binary collation":               {utf8mb4Bin, "a", "A", false},
		"a space before an ignorable is a trailing space":    {utf8mb4UnicodeCI, "a", "a \x00", true},
		"a no-break space weighs as a space in unicode_ci":   {utf8mb4UnicodeCI, "a", "a\u00a0", true},
		"an inner space counts":                              {utf8mb4UnicodeCI, "a b", "ab", false},
		"a string of spaces is empty":                        {utf8mb4UnicodeCI, "   ", "", true},
		"contractions weigh as one: ch sorts behind h":       {utf8mb4Czech, "ch", "CH", true},
		"U+FFFF has a weight in UCA 4.0.0":                   {utf8mb4UnicodeCI, "a\uffffb", "ab", false},
		"also as the last character":                         {utf8mb4UnicodeCI, "a\uffff", "a", false},
		"latin1 compares its own bytes: é is e in swedish":   {latin1SwedishCI, "\xe9", "E", true},
		"and å is its own letter":                            {latin1SwedishCI, "\xe5", "a", false},
		"ASCII folds case":                                   {asciiGeneralCI, "aZ ", "Az", true},
		"binary strings are their bytes":                     {binaryCollation, "a", "a ", false},
		"bytes that are no text are fine in binary strings":  {binaryCollation, "\xff", "\xfe", false},
		"a decomposed character is its composed one (UCA 9)": {utf8mb40900ASCS, "e\u0301", "é", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			a, b := weigh(t, test.id, test.a), weigh(t, test.id, test.b)
			if bytes.Equal(a, b) != test.want {
				t.Errorf("weights %x and %x", a, b)
			}
		})
	}
}

func TestWeigherRefuses(t *testing.T) {
	for sentence, id := range map[string]uint16{
		"latin1_german2_ci expands letters, which no table here has":             latin1German2CI,
		"utf8mb4_ja_0900_as_cs_ks, some of whose texts the library cannot weigh": japaneseKana,
		"gbk":     28,
		"sjis":    13,
		"utf16":   54,
		"no such": 2999,
		"none":    0,
	} {
		if _, ok := Weigher(id); ok {
			t.Errorf("%s: collation %d is offered", sentence, id)
		}
	}
}

// vitess' decoders index past the end of a truncated character; a value that is not text must be an error.
func TestWeigherInvalidText(t *testing.T) {
	for sentence, test := range map[string]struct {
		id uint16
		s  string
	}{
		"a truncated character under UCA 9":        {utf8mb40900AICI, "abc\xe6\xbc"},
		"a truncated character under UCA 4":        {utf8mb4UnicodeCI, "abc\xe6\xbc"},
		"a truncated character under general_ci":   {utf8mb4GeneralCI, "abc\xf0\x9f\x98"},
		"a surrogate":                              {utf8mb4GeneralCI, "\xed\xa0\x80"},
		"four bytes in utf8mb3":                    {utf8mb3GeneralCI, "😀"},
		"a lone continuation behind fast blocks":   {utf8mb40900AICI, "abcdefgh\x80"},
		"an overlong form":                         {utf8mb40900AICI, "\xc0\x80"},
		"invalid text behind U+FFFF under UCA 4":   {utf8mb4UnicodeCI, "\uffff\xff"},
		"a truncated character under a contracted": {utf8mb4Czech, "c\xe6"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w, _ := Weigher(test.id)
			if out, err := w(nil, []byte(test.s)); err == nil {
				t.Errorf("weighed as %x", out)
			}
		})
	}
}

// FuzzWeigher: no value makes a weigher panic, and a valid one is equal to itself with pads.
func FuzzWeigher(f *testing.F) {
	f.Add([]byte("Résumé ß 漢字 \uffff"))
	f.Add([]byte("ch\xe6\xbc"))
	ids := []uint16{latin1SwedishCI, asciiGeneralCI, utf8mb3GeneralCI, utf8mb4GeneralCI, utf8mb4Bin, utf8mb4UnicodeCI, utf8mb4Czech, utf8mb40900AICI, utf8mb40900ASCS, 303, 306, 308}
	f.Fuzz(func(t *testing.T, s []byte) {
		for _, id := range ids {
			w, ok := Weigher(id)
			if !ok {
				t.Fatalf("collation %d is not offered", id)
			}
			a, err := w(nil, s)
			if err != nil || id >= utf8mb40900AICI {
				continue
			}
			b, err := w(nil, append(bytes.Clone(s), "  "...))
			if err != nil || !bytes.Equal(a, b) {
				t.Errorf("collation %d: %x with pads %x, %v", id, a, b, err)
			}
		}
	})
}

func BenchmarkWeigher(b *testing.B) {
	for name, id := range map[string]uint16{
		"utf8mb4_0900_ai_ci": utf8mb40900AICI, "utf8mb4_0900_as_cs": utf8mb40900ASCS, "utf8mb4_general_ci": utf8mb4GeneralCI,
		"utf8mb4_unicode_ci": utf8mb4UnicodeCI, "utf8mb4_bin": utf8mb4Bin, "latin1_swedish_ci": latin1SwedishCI,
	} {
		for kind, s := range map[string]string{"ascii": "customer-0000004711@example", "accents": "Zoë Müller-Lüdenscheidt"} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				w, _ := Weigher(id)
				var dst []byte
				value := []byte(s)
				b.ReportAllocs()
				for b.Loop() {
					dst, _ = w(dst[:0], value)
				}
			})
		}
	}
}
