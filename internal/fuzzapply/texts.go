package fuzzapply

import (
	"encoding/hex"

	"pgregory.net/rapid"
)

// texts are what texts are made of: neighbours under some collation (case, accents, width, expansions, contractions,
// ignorables), what a lexer might trip over, and characters whose second byte is a backslash in gbk, sjis or big5.
var texts = []string{
	"a", "A", "á", "Á", "ä", "Å", "å", "\u212b", "ae", "æ", "Æ", "b", "B", "c", "C", "ch", "Ch", "CH", "cs", "d", "đ", "ð", "dz", "ǆ", "Ǆ",
	"e", "E", "é", "e\u0301", "Ё", "ё", "Е", "е", "fi", "ﬁ", "g", "i", "I", "İ", "ı", "ij", "ĳ", "k", "K", "\u212a", "l", "ł", "ll", "lj", "n", "ñ", "n\u0303",
	"o", "ö", "ø", "oe", "œ", "s", "S", "ſ", "ss", "ß", "ẞ", "sz", "t", "th", "þ", "ue", "ü", "y", "z", "ž",
	"0", "1", "٠", "１", "½", "²", "-", "_", "%", "'", `"`, `\`, "`", "/*", "--", ";", "?", "\n", "\r", "\t", "\x00", "\x1a", "\x7f", "\x01", "\x1f",
	" ", "  ", "\u00a0", "\u3000", "\u200b", "\u00ad", "\u0301", "\u05b0", "\ufeff", "\u0085",
	"日", "本", "表", "ソ", "誠", "乗", "許", "功", "ひ", "ヒ", "ﾋ", "か", "が", "か\u3099", "カ", "は", "ば", "ぱ", "ー", "ぁ", "あ", "中", "国", "國", "龍", "龙",
	"한", "\u1112\u1161\u11ab", "가", "я", "Я", "ґ", "г", "й", "и\u0306", "ω", "Ω", "\u2126", "ς", "σ", "Σ", "ά", "α", "א", "ב", "ก", "เก", "ا", "أ", "آ",
	"😀", "🙂", "𝐀", "\U0010ffff", "\U0001F468\u200d\U0001F469", "\uffff", "\ufffd", "\ue000", "€", "¥", "£", "‰", "†", "™",
}

// trailers are what may follow a text so that it weighs nearly the same.
var trailers = []string{"", "", "", " ", "  ", "\t", "\x00", "\u00a0", "\u200b"}

// textPool draws values of a text column of up to n characters: few, and alike.
func textPool(t *rapid.T, f *Facts, charset string, n int) []string {
	pieces := f.Pieces[charset]
	near := rapid.IntRange(0, len(pieces)-1).Draw(t, "near") // Most texts of a column come from one corner of the list.
	var pool []string
	for range rapid.IntRange(2, 6).Draw(t, "values") {
		var text []byte
		left := n
		for range rapid.IntRange(0, 3).Draw(t, "pieces") {
			at := rapid.IntRange(0, len(pieces)-1).Draw(t, "piece")
			if rapid.IntRange(0, 3).Draw(t, "far") > 0 {
				at = min(near+at%5, len(pieces)-1)
			}
			if pieces[at].Characters <= left {
				text = append(text, pieces[at].Bytes...)
				left -= pieces[at].Characters
			}
		}
		pool = append(pool, literal(charset, text))
		if left > 0 && rapid.Bool().Draw(t, "trailed") {
			trailed := append(text[:len(text):len(text)], f.trailer(t, charset, left)...)
			pool = append(pool, literal(charset, trailed))
		}
	}
	if left := n; left > 0 && single(charset) && rapid.IntRange(0, 3).Draw(t, "raw") == 0 {
		pool = append(pool, literal(charset, rapid.SliceOfN(rapid.Byte(), 1, min(n, 4)).Draw(t, "bytes")))
	}
	return pool
}

// trailer is one of trailers; nothing where the character set cannot write it.
func (f *Facts) trailer(t *rapid.T, charset string, left int) []byte {
	want := rapid.SampledFrom(trailers).Draw(t, "trailer")
	for _, p := range f.Pieces[charset] {
		if p.Text == want && p.Characters <= left {
			return p.Bytes
		}
	}
	return nil
}

// single reports a character set of one byte per character in which each byte is one. (In ascii the upper half is none.)
func single(charset string) bool {
	switch charset {
	case "latin1", "latin2", "cp850", "cp852", "cp866", "koi8r", "koi8u", "cp1251", "macroman", "dec8", "hp8":
		return true
	}
	return false
}

func literal(charset string, text []byte) string {
	if len(text) == 0 {
		return "_" + charset + " ''"
	}
	return "_" + charset + " 0x" + hex.EncodeToString(text)
}
