package rowimage

// charset is what the writers need to know of a character set.
type charset struct {
	name string
	// unit is the least number of bytes of a character. A text whose length is no multiple of it would be padded by
	// the server, that is, changed.
	unit int
	// hex: a text goes into the statement as hexadecimal. The server's lexer reads a statement in utf8mb4, byte by
	// byte where it is not valid: in gbk, sjis, big5, cp932 and gb18030 the second byte of a character may be a
	// backslash, and in the wide sets each byte may be anything. Sets of one byte per character are quoted: each
	// byte that means something to the lexer is escaped.
	hex bool
	// ascii: the first 128 characters have the bytes of ASCII.
	ascii bool
	// collations are ids of the set's collations, as pairs of the first and the last of a run. They never change in
	// MySQL (INFORMATION_SCHEMA.COLLATIONS of 9.7); new ones of utf8mb4 are added at the end.
	collations []uint16
}

// run is the pairs of single ids.
func run(ids ...uint16) []uint16 {
	pairs := make([]uint16, 0, 2*len(ids))
	for _, id := range ids {
		pairs = append(pairs, id, id)
	}
	return pairs
}

// charsets are all character sets of MySQL 9.7, and with it those of each version since 4.1.
var charsets = []charset{
	{"utf8mb4", 1, false, true, []uint16{45, 46, 224, 247, 255, 323}},
	{"utf8mb3", 1, false, true, append(run(33, 76, 83, 223), 192, 215)},
	{"binary", 1, false, false, run(63)},
	{"ascii", 1, false, true, run(11, 65)},
	{"latin1", 1, false, true, run(5, 8, 15, 31, 47, 48, 49, 94)},

	{"armscii8", 1, false, true, run(32, 64)},
	{"cp1250", 1, false, true, run(26, 34, 44, 66, 99)},
	{"cp1251", 1, false, true, run(14, 23, 50, 51, 52)},
	{"cp1256", 1, false, true, run(57, 67)},
	{"cp1257", 1, false, true, run(29, 58, 59)},
	{"cp850", 1, false, true, run(4, 80)},
	{"cp852", 1, false, true, run(40, 81)},
	{"cp866", 1, false, true, run(36, 68)},
	{"dec8", 1, false, true, run(3, 69)},
	{"geostd8", 1, false, true, run(92, 93)},
	{"greek", 1, false, true, run(25, 70)},
	{"hebrew", 1, false, true, run(16, 71)},
	{"hp8", 1, false, true, run(6, 72)},
	{"keybcs2", 1, false, true, run(37, 73)},
	{"koi8r", 1, false, true, run(7, 74)},
	{"koi8u", 1, false, true, run(22, 75)},
	{"latin2", 1, false, true, run(2, 9, 21, 27, 77)},
	{"latin5", 1, false, true, run(30, 78)},
	{"latin7", 1, false, true, run(20, 41, 42, 79)},
	{"macce", 1, false, true, run(38, 43)},
	{"macroman", 1, false, true, run(39, 53)},
	{"swe7", 1, false, false, run(10, 82)},
	{"tis620", 1, false, true, run(18, 89)},

	{"big5", 1, true, true, run(1, 84)},
	{"cp932", 1, true, true, run(95, 96)},
	{"eucjpms", 1, true, true, run(97, 98)},
	{"euckr", 1, true, true, run(19, 85)},
	{"gb18030", 1, true, true, run(248, 249, 250)},
	{"gb2312", 1, true, true, run(24, 86)},
	{"gbk", 1, true, true, run(28, 87)},
	{"sjis", 1, true, false, run(13, 88)}, // 0x5C is a yen sign in some readings of it.
	{"ujis", 1, true, true, run(12, 91)},

	{"ucs2", 2, true, false, append(run(35, 90, 159), 128, 151)},
	{"utf16", 2, true, false, append(run(54, 55), 101, 124)},
	{"utf16le", 2, true, false, run(56, 62)},
	{"utf32", 4, true, false, append(run(60, 61), 160, 183)},
}

// longest is the number of bytes of the set's longest character (SHOW CHARACTER SET, Maxlen).
func (cs *charset) longest() int {
	switch cs.name {
	case "utf8mb4", "gb18030", "utf16", "utf16le", "utf32":
		return 4
	case "utf8mb3", "eucjpms", "ujis":
		return 3
	case "big5", "cp932", "euckr", "gb2312", "gbk", "sjis", "ucs2":
		return 2
	}
	return 1
}

// charsetNamed finds a character set by its name on the target; false for one that MySQL does not have.
func charsetNamed(name string) (*charset, bool) {
	if name == "utf8" {
		name = "utf8mb3" // The name before MySQL 8.0.30.
	}
	for i := range charsets {
		if charsets[i].name == name {
			return &charsets[i], true
		}
	}
	return nil, false
}

// charsetOf gives the character set of a collation id; nil for an id that MySQL does not have.
func charsetOf(collation uint16) *charset {
	for i := range charsets {
		ids := charsets[i].collations
		for n := 0; n < len(ids); n += 2 {
			if ids[n] <= collation && collation <= ids[n+1] {
				return &charsets[i]
			}
		}
	}
	return nil
}

// holds reports whether each text of character set from has the same bytes, and the same meaning, in cs.
func (cs *charset) holds(from *charset) bool {
	switch {
	case from == nil:
		return false
	case cs == from:
		return true
	}
	return from.name == "ascii" && cs.ascii || from.name == "utf8mb3" && cs.name == "utf8mb4"
}

// utf8 reports whether a text is part of the statement's own text, which is in utf8mb4.
func (cs *charset) utf8() bool { return cs.name == "utf8mb4" || cs.name == "utf8mb3" }
