package fuzzapply

import (
	"cmp"
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// kind says what a column can be used for, beyond holding values.
type kind int

const (
	plain   kind = iota // May be part of a key as a whole.
	number              // As plain, and one can count with it.
	text                // As plain; a key may also take a prefix of it.
	bytes               // Likewise.
	lob                 // A key takes only a prefix of it.
	opaque              // JSON, GEOMETRY, VECTOR: no key, no comparison.
	logical             // JSON.
)

// value is a type with its pool of values.
type value struct {
	sql  string // The type as CREATE TABLE wants it.
	kind kind
	pool []string // SQL expressions, valid for the type.
	// literal: the pool's values may stand behind DEFAULT.
	literal bool
}

// drawType draws one of all column types.
func (f *Facts) drawType(t *rapid.T) value {
	return rapid.SampledFrom([]func(*rapid.T) value{
		integer, integer, integer, decimal, float, bit, year, date, clock, clock, instant, instant,
		f.varchar, f.varchar, f.varchar, f.varchar, f.char, f.text, binary, blob, f.enum, f.set, document, document, geometry, vector,
	}).Draw(t, "type")(t)
}

// drawKeyType draws one of the types that make good primary keys.
func (f *Facts) drawKeyType(t *rapid.T) value {
	return rapid.SampledFrom([]func(*rapid.T) value{
		integer, integer, decimal, float, bit, date, clock, instant, f.varchar, f.varchar, f.varchar, f.varchar, f.char, f.text, binary, binary, blob, f.enum, f.set, year,
	}).Draw(t, "type")(t)
}

// some draws a few of a pool.
func some(t *rapid.T, pool []string) []string {
	n := rapid.IntRange(2, 6).Draw(t, "values")
	return rapid.SliceOfN(rapid.SampledFrom(pool), n, n).Draw(t, "pool")
}

func integer(t *rapid.T) value {
	types := []string{"TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"}
	at := rapid.IntRange(0, 4).Draw(t, "width")
	bits := []int{8, 16, 24, 32, 64}[at]
	v := value{sql: types[at], kind: number, literal: true}
	pool := []string{"0", "1", "2", "3", "4", "5", "6", "7"}
	if rapid.Bool().Draw(t, "unsigned") {
		v.sql += " UNSIGNED"
		top := ^uint64(0) >> (64 - bits)
		pool = append(pool, fmt.Sprint(top), fmt.Sprint(top-1), fmt.Sprint(top>>1), fmt.Sprint(top>>1+1))
	} else {
		top := int64(^uint64(0) >> (65 - bits))
		pool = append(pool, fmt.Sprint(top), fmt.Sprint(-top), fmt.Sprint(-top-1), "-1", "-2")
	}
	v.pool = some(t, pool)
	return v
}

func decimal(t *rapid.T) value {
	precision := rapid.IntRange(1, 65).Draw(t, "precision")
	scale := rapid.IntRange(0, min(30, precision)).Draw(t, "scale")
	write := func(whole, fraction string) string { return strings.TrimSuffix(cmp.Or(whole, "0")+"."+fraction, ".") }
	nines := write(strings.Repeat("9", precision-scale), strings.Repeat("9", scale))
	least := write("", strings.Repeat("0", max(0, scale-1))+strings.Repeat("1", min(1, scale)))
	digits := rapid.StringMatching(fmt.Sprintf("[0-9]{%d}", precision)).Draw(t, "digits")
	random := write(digits[scale:], digits[:scale])
	pool := []string{"0", nines, "-" + nines, least, "-" + least, random, "-" + random, write("", strings.Repeat("0", scale))}
	return value{sql: fmt.Sprintf("DECIMAL(%d,%d)", precision, scale), kind: number, pool: some(t, pool), literal: true}
}

func float(t *rapid.T) value {
	if rapid.Bool().Draw(t, "double") {
		return value{sql: "DOUBLE", kind: number, literal: true, pool: some(t, []string{"0e0", "-0e0", "5e-324", "-5e-324", "2.2250738585072014e-308",
			"1.7976931348623157e308", "-1.7976931348623157e308", "0.1e0", "0.30000000000000004e0", "1e0", "9007199254740993e0", "123456.789e-3"})}
	}
	return value{sql: "FLOAT", kind: number, literal: true, pool: some(t, []string{"0e0", "-0e0", "1e-45", "-1e-45", "1.17549435e-38", "3.402823466e38",
		"-3.402823466e38", "0.1e0", "0.3e0", "1e0", "16777217e0", "1.23456789e-3"})}
}

func bit(t *rapid.T) value {
	n := rapid.IntRange(1, 64).Draw(t, "bits")
	random := rapid.StringMatching(fmt.Sprintf("[01]{%d}", n)).Draw(t, "random")
	return value{sql: fmt.Sprintf("BIT(%d)", n), kind: plain, literal: true,
		pool: some(t, []string{"b'0'", "b'1'", "b'" + strings.Repeat("1", n) + "'", "b'1" + strings.Repeat("0", n-1) + "'", "b'" + random + "'"})}
}

func year(t *rapid.T) value {
	return value{sql: "YEAR", kind: plain, literal: true, pool: some(t, []string{"'0000'", "1901", "1970", "2000", "2155", "2024"})}
}

func date(t *rapid.T) value {
	return value{sql: "DATE", kind: plain, literal: true, pool: some(t, []string{"'0000-00-00'", "'1000-01-01'", "'9999-12-31'", "'2024-02-29'", "'2024-02-31'", "'2024-00-00'",
		"'2024-12-00'", "'0000-01-01'", "'1582-10-10'", "'0001-01-01'"})}
}

// fraction is a fraction of a second of n digits.
func fraction(t *rapid.T, n int) string {
	if n == 0 {
		return ""
	}
	return "." + rapid.SampledFrom([]string{strings.Repeat("0", n), strings.Repeat("9", n), strings.Repeat("0", n-1) + "1", "5" + strings.Repeat("0", n-1)}).Draw(t, "fraction")
}

// temporal is a type with a fraction. last cannot have one.
func temporal(t *rapid.T, name, last string, values ...string) value {
	n := rapid.IntRange(0, 6).Draw(t, "digits")
	v := value{sql: fmt.Sprintf("%s(%d)", name, n), kind: plain, literal: true}
	if n == 0 {
		v.sql = name
	}
	for range rapid.IntRange(2, 6).Draw(t, "values") {
		if s := rapid.SampledFrom(append(values, last)).Draw(t, "value"); s == last {
			v.pool = append(v.pool, "'"+s+"'")
		} else {
			v.pool = append(v.pool, "'"+s+fraction(t, n)+"'")
		}
	}
	return v
}

func clock(t *rapid.T) value {
	return temporal(t, "TIME", "838:59:59", "-838:59:58", "00:00:00", "-00:00:00", "-00:00:01", "00:00:01", "23:59:59", "24:00:00", "-12:34:56", "99:00:00")
}

// instant is DATETIME or TIMESTAMP. The hour of 2024-11-03 01:30 is there twice in New York; sessions set their zone.
func instant(t *rapid.T) value {
	if rapid.Bool().Draw(t, "timestamp") {
		return temporal(t, "TIMESTAMP", "0000-00-00 00:00:00", "1970-01-02 00:00:01", "2038-01-18 03:14:07", "2024-11-03 05:30:00", "2024-11-03 06:30:00", "2001-09-09 01:46:40")
	}
	return temporal(t, "DATETIME", "0000-00-00 00:00:00", "1000-01-01 00:00:00", "9999-12-31 23:59:58", "2024-02-31 23:59:58", "2024-00-00 12:00:00", "2024-03-31 02:30:00", "0000-01-01 00:00:00")
}

// collated draws a collation and writes it as attributes of a column.
func (f *Facts) collated(t *rapid.T) (charset, attributes string) {
	charset = rapid.SampledFrom(f.Charsets()).Draw(t, "charset")
	if rapid.IntRange(0, 2).Draw(t, "common") > 0 {
		charset = rapid.SampledFrom([]string{"utf8mb4", "utf8mb4", "utf8mb3", "latin1"}).Draw(t, "charset")
	}
	var names []string
	for _, c := range f.Collations {
		if c.Charset == charset {
			names = append(names, c.Name)
		}
	}
	return charset, " CHARACTER SET " + charset + " COLLATE " + rapid.SampledFrom(names).Draw(t, "collation")
}

func (f *Facts) varchar(t *rapid.T) value {
	charset, attributes := f.collated(t)
	n := rapid.IntRange(1, 12).Draw(t, "length")
	return value{sql: fmt.Sprintf("VARCHAR(%d)%s", n, attributes), kind: text, pool: textPool(t, f, charset, n), literal: true}
}

func (f *Facts) char(t *rapid.T) value {
	charset, attributes := f.collated(t)
	n := rapid.IntRange(1, 12).Draw(t, "length")
	return value{sql: fmt.Sprintf("CHAR(%d)%s", n, attributes), kind: text, pool: textPool(t, f, charset, n), literal: true}
}

func (f *Facts) text(t *rapid.T) value {
	charset, attributes := f.collated(t)
	v := value{sql: rapid.SampledFrom([]string{"TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"}).Draw(t, "size") + attributes, kind: lob, pool: textPool(t, f, charset, 40)}
	if pieces := f.Pieces[charset]; !strings.HasPrefix(v.sql, "TINY") && rapid.IntRange(0, 9).Draw(t, "long") == 0 {
		v.pool = append(v.pool, fmt.Sprintf("REPEAT(%s, 9000)", literal(charset, pieces[0].Bytes)))
	}
	return v
}

var someBytes = []string{"''", "0x00", "0x0000", "0x61", "0x6100", "0x610000", "0x41", "0x20", "0x6120", "0x5C", "0x5C27", "0x27", "0x22", "0x0A", "0x1A", "0xFF", "0xFF00", "0x80", "0xC3A9", "0x955C", "0x00FF00FF"}

func binary(t *rapid.T) value {
	n := rapid.IntRange(1, 20).Draw(t, "length")
	var fitting []string
	for _, s := range someBytes {
		if len(s) <= 2+2*n {
			fitting = append(fitting, s)
		}
	}
	name := rapid.SampledFrom([]string{"BINARY", "VARBINARY"}).Draw(t, "kind")
	return value{sql: fmt.Sprintf("%s(%d)", name, n), kind: bytes, pool: some(t, fitting), literal: true}
}

func blob(t *rapid.T) value {
	v := value{sql: rapid.SampledFrom([]string{"TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"}).Draw(t, "size"), kind: lob, pool: some(t, someBytes)}
	if v.sql != "TINYBLOB" && rapid.IntRange(0, 9).Draw(t, "long") == 0 {
		v.pool = append(v.pool, "REPEAT(0x5C00, 9000)")
	}
	return v
}

// members are names for ENUM and SET that no collation takes for equal, a list per kind of character set.
func members(t *rapid.T, f *Facts, charset string) []string {
	names := []string{"'a'", "'b c'", "'it''s'", "'x,y'", "'1'", "'0'", `'d\\e'`, "'f'"}
	for _, p := range f.Pieces[charset] {
		switch p.Text {
		case "日", "я", "ω", "א", "😀", "ก", "ソ", "誠":
			if p.Text != "😀" || !f.narrow {
				names = append(names, "'"+p.Text+"'")
			}
		}
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 8, rapid.ID[string]).Draw(t, "members")
}

func (f *Facts) enum(t *rapid.T) value {
	charset, attributes := f.collated(t)
	names := members(t, f, charset)
	for i := range rapid.SampledFrom([]int{0, 0, 0, 300}).Draw(t, "more") {
		names = append(names, fmt.Sprintf("'m%d'", i))
	}
	v := value{sql: "ENUM(" + strings.Join(names, ",") + ")" + attributes, kind: plain}
	if rapid.IntRange(0, 2).Draw(t, "invalid") == 0 {
		v.pool = append(v.pool, "0") // Index 0: what a strict session of the source refuses, IGNORE and others store.
	}
	for range rapid.IntRange(2, 6).Draw(t, "values") {
		v.pool = append(v.pool, fmt.Sprint(rapid.IntRange(1, len(names)).Draw(t, "index")))
	}
	return v
}

func (f *Facts) set(t *rapid.T) value {
	charset, attributes := f.collated(t)
	var names []string
	for _, m := range members(t, f, charset) {
		if m != "'x,y'" {
			names = append(names, m)
		}
	}
	for i := range rapid.SampledFrom([]int{1, 3, 55}).Draw(t, "more") {
		names = append(names, fmt.Sprintf("'m%d'", i))
	}
	all := ^uint64(0) >> (64 - len(names))
	pool := []string{"0", "1", fmt.Sprint(all), fmt.Sprint(all ^ all>>1), fmt.Sprint(rapid.Uint64Range(0, all).Draw(t, "set"))}
	return value{sql: "SET(" + strings.Join(names, ",") + ")" + attributes, kind: plain, pool: some(t, pool)}
}
