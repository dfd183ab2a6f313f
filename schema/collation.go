package schema

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/colldata"
)

// japaneseKana is the id of utf8mb4_ja_0900_as_cs_ks, for which the library has no weights for some texts: it panics at
// a prolonged sound mark before a small kana of U+31F0 to U+31FF. So its keys are not weighed.
const japaneseKana = 304

// binaryCollation is the id of the collation of binary strings (my_charset_bin).
const binaryCollation = 63

// errInvalidText carries no value (invariant 9).
var errInvalidText = errors.New("a key value is not valid text in its column's character set")

// Collations are the collations of one server, by id.
type Collations map[uint16]string

// LoadCollations reads the collations that a server knows.
func LoadCollations(ctx context.Context, q Querier) (_ Collations, err error) {
	rows, err := q.QueryContext(ctx, "/* binseal schema */ SELECT id, collation_name FROM information_schema.collations")
	if err != nil {
		return nil, fmt.Errorf("read collations: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all := make(Collations)
	for rows.Next() {
		var id uint16
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, fmt.Errorf("read collations: %w", err)
		}
		all[id] = name
	}
	return all, rows.Err()
}

// Name is the name of a collation; false when the server has none with this id.
func (c Collations) Name(id uint16) (string, bool) {
	name, ok := c[id]
	return name, ok
}

// ID is the id of a collation; 0 when the server has none of this name.
func (c Collations) ID(name string) uint16 {
	for id, n := range c {
		if strings.EqualFold(n, name) {
			return id
		}
	}
	return 0
}

// Weigher gives the function that appends the weight of a value under a collation: two values have equal weights
// exactly when the server takes them for equal in a unique index. Under PAD SPACE collations trailing spaces weigh
// nothing. Weights order nearly as the server does (not around characters that sort before the space).
//
// ok is false for a collation whose comparison is not known exactly; keys over it are not Weighed. Offered are
// binary, and the collations of utf8mb4, utf8mb3, latin1 and ascii of MySQL 8.0 and later which agreed with a real
// server in every character. w is safe for concurrent use, does not panic, and returns an error for a value that is
// not valid in the collation's character set.
func Weigher(collationID uint16) (w func(dst, s []byte) ([]byte, error), ok bool) {
	if collationID == binaryCollation || !collated {
		return weighRaw, true
	}
	coll := colldata.Lookup(collations.ID(collationID))
	if coll == nil || collationID == japaneseKana {
		return nil, false
	}
	charset := coll.Charset().Name()
	if !slices.Contains([]string{"utf8mb4", "utf8mb3", "latin1", "ascii"}, charset) {
		return nil, false
	}
	switch c := coll.(type) {
	case *colldata.Collation_utf8mb4_0900_bin:
		return weighRaw, true
	case *colldata.Collation_unicode_bin, *colldata.Collation_8bit_bin:
		// The bytes of UTF-8 order as its code points do.
		return weighBin, true
	case *colldata.Collation_8bit_simple_ci:
		return weighTable(c), true
	case *colldata.Collation_utf8mb4_uca_0900:
		return weighNoPad(c), true
	case *colldata.Collation_unicode_general_ci, *colldata.Collation_uca_legacy:
		return weighPad(coll, charset == "utf8mb3"), true
	}
	return nil, false
}

// weighRaw is the weight under a NO PAD binary collation: the bytes.
func weighRaw(dst, s []byte) ([]byte, error) { return append(dst, s...), nil }

// weighBin is the weight under a PAD SPACE binary collation: the bytes without trailing spaces.
func weighBin(dst, s []byte) ([]byte, error) {
	return append(dst, bytes.TrimRight(s, " ")...), nil
}

// weighTable weighs an 8-bit character set: a byte is a character, and each has one weight. The server skips
// trailing characters that weigh as much as a space (ctype-simple.cc, my_strnncollsp_simple).
func weighTable(c colldata.Collation) func(dst, s []byte) ([]byte, error) {
	var weights [256]byte
	for i := range weights {
		weights[i] = c.WeightString(nil, []byte{byte(i)}, 0)[0]
	}
	space := weights[' ']
	return func(dst, s []byte) ([]byte, error) {
		for len(s) > 0 && weights[s[len(s)-1]] == space {
			s = s[:len(s)-1]
		}
		for _, b := range s {
			dst = append(dst, weights[b])
		}
		return dst, nil
	}
}

// weighNoPad weighs under a UCA 9.0.0 collation, where trailing spaces count.
func weighNoPad(c colldata.Collation) func(dst, s []byte) ([]byte, error) {
	ascii := weightsOfASCII(c)
	return func(dst, s []byte) (_ []byte, err error) {
		if out, done := ascii.weigh(dst, s); done {
			return out, nil
		}
		if !utf8.Valid(s) {
			return dst, errInvalidText
		}
		defer recoverWeight(&err)
		return c.WeightString(dst, s, 0), nil
	}
}

// weighPad weighs under a Unicode collation with PAD SPACE, whose weights are 16 bits wide. Trailing spaces are cut
// from the weights, not from the text: the server pads weights, so that 'a' = 'a \0' where \0 is ignorable, and a
// no-break space is a space where it weighs as one.
func weighPad(c colldata.Collation, bmp bool) func(dst, s []byte) ([]byte, error) {
	space := binary.BigEndian.Uint16(c.WeightString(nil, []byte{' '}, 0))
	hole := len(c.WeightString(nil, lastOfBMP, 0)) == 0
	ascii := weightsOfASCII(c)
	return func(dst, s []byte) (out []byte, err error) {
		start := len(dst)
		s = bytes.TrimRight(s, " ")
		out, done := ascii.weigh(dst, s)
		if !done {
			if !utf8.Valid(s) || bmp && bytes.ContainsFunc(s, beyondBMP) {
				return dst, errInvalidText
			}
			defer recoverWeight(&err)
			if hole {
				dst, s = weighLastOfBMP(c, dst, s)
			}
			out = c.WeightString(dst, s, 0)
		}
		for len(out)-start >= 2 && binary.BigEndian.Uint16(out[len(out)-2:]) == space {
			out = out[:len(out)-2]
		}
		return out, nil
	}
}

// asciiWeights are the weights of ASCII characters under a collation that weighs each for itself; nil for others.
// It is the short way for most keys: without it the library takes an allocation per value.
type asciiWeights []struct {
	bytes   [2]byte
	ignored bool
}

// weightsOfASCII is nil unless the collation is known to have no contractions: general_ci, unicode_ci, unicode_520_ci and
// 0900_ai_ci are untailored tables of one weight a character. In utf8mb4_czech_ci, say, "ch" is one letter.
func weightsOfASCII(c colldata.Collation) asciiWeights {
	_, table, _ := strings.Cut(c.Name(), "_")
	if table != "general_ci" && table != "unicode_ci" && table != "unicode_520_ci" && table != "0900_ai_ci" {
		return nil
	}
	all := make(asciiWeights, utf8.RuneSelf)
	for i := range all {
		w := c.WeightString(nil, []byte{byte(i)}, 0)
		if len(w) > 2 {
			return nil
		}
		all[i].ignored = copy(all[i].bytes[:], w) == 0
	}
	return all
}

// weigh appends the weight of s; false, with nothing appended, when s is not all ASCII.
func (a asciiWeights) weigh(dst, s []byte) ([]byte, bool) {
	if a == nil {
		return dst, false
	}
	out := dst
	for _, b := range s {
		if b >= utf8.RuneSelf {
			return dst, false
		}
		if w := &a[b]; !w.ignored {
			out = append(out, w.bytes[0], w.bytes[1])
		}
	}
	return out, true
}

// beyondBMP reports a character that utf8mb3 cannot hold.
func beyondBMP(r rune) bool { return r > 0xFFFF }

// lastOfBMP is U+FFFF, a noncharacter that text may hold all the same. The library's tables for UCA 4.0.0 give it
// no weight; the server gives it the implicit weight FBC1 FFFF.
var lastOfBMP = []byte("\uFFFF")

// weighLastOfBMP weighs s up to and with its last U+FFFF, and returns what is left.
func weighLastOfBMP(c colldata.Collation, dst, s []byte) (_, rest []byte) {
	for {
		at := bytes.Index(s, lastOfBMP)
		if at < 0 {
			return dst, s
		}
		dst = c.WeightString(dst, s[:at], 0)
		dst = append(dst, 0xFB, 0xC1, 0xFF, 0xFF)
		s = s[at+len(lastOfBMP):]
	}
}

// recoverWeight is the last line behind the validation: a panic of the collation library becomes an error.
func recoverWeight(err *error) {
	if recover() != nil {
		*err = errInvalidText
	}
}
