package rowimage

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// event puts a common header before a body, as the parser of go-mysql wants it.
func event(typ replication.EventType, body []byte) []byte {
	h := make([]byte, replication.EventHeaderSize)
	h[4] = byte(typ)
	binary.LittleEndian.PutUint32(h[9:], uint32(len(h)+len(body)))
	return append(h, body...)
}

// oracle is go-mysql's decoder, told that the log comes from a 5.6 server without checksums.
func oracle(t interface{ Fatal(...any) }) *replication.BinlogParser {
	p := replication.NewBinlogParser()
	p.SetTimestampStringLocation(time.UTC)
	format := make([]byte, 2+50+4)
	format[0] = 4
	copy(format[2:], "5.6.40")
	format = append(format, byte(replication.EventHeaderSize))
	format = append(format, strings.Repeat("\x08", 40)...) // Post-header lengths; 8 for TABLE_MAP means ids of 6 bytes.
	if _, err := p.Parse(event(replication.FORMAT_DESCRIPTION_EVENT, append(format, 0, 0, 0, 0, 0))); err != nil {
		t.Fatal(err)
	}
	return p
}

// A random table with random values reads as go-mysql reads it: the same rows, the same values.
func TestAgainstGoMySQL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfN(rapid.Custom(drawColumn), 1, 70).Draw(t, "columns")
		m, table := tableOf(columns...)
		var signs []byte
		numeric := 0
		for _, c := range columns {
			if !isNumeric(c.typ) {
				continue
			}
			if numeric%8 == 0 {
				signs = append(signs, 0)
			}
			if c.column.Unsigned {
				signs[numeric/8] |= 0x80 >> (numeric % 8)
			}
			numeric++
		}
		tableMap := tableMapBody(7, m, append([]byte{metaSignedness, byte(len(signs))}, signs...)...)
		var images [][]byte
		for range rapid.IntRange(1, 4).Draw(t, "rows") * 2 {
			values := make([][]byte, len(columns))
			for i, c := range columns {
				if rapid.IntRange(0, 5).Draw(t, "null") > 0 {
					values[i] = drawValue(t, c)
				}
			}
			images = append(images, image(values...))
		}
		body := rowsBody(7, len(columns), true, images...)

		p := oracle(t)
		if _, err := p.Parse(event(replication.TABLE_MAP_EVENT, tableMap)); err != nil {
			t.Fatal(err)
		}
		decoded, err := p.Parse(event(replication.UPDATE_ROWS_EVENTv2, body))
		if err != nil {
			t.Fatal(err)
		}
		want := decoded.Event.(*replication.RowsEvent).Rows

		id, parsed, err := ParseTableMap(tableMap)
		if err != nil || id != 7 {
			t.Fatal(id, err)
		}
		if diff := cmp.Diff(m.Meta, parsed.Meta); diff != "" {
			t.Fatal(diff)
		}
		e, err := ParseRowsHeader(updateRowsV2, body)
		if err != nil {
			t.Fatal(err)
		}
		h, err := e.Header(parsed)
		if err != nil || !h.Full || h.Op != change.Update {
			t.Fatal(h, err)
		}
		rows, err := Split(h, e.Data, nil)
		if err != nil || len(rows)*2 != len(want) {
			t.Fatal(len(rows), err)
		}
		layout, err := Bind(parsed, table)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			compareTuple(t, layout, columns, r.Before, want[2*i])
			compareTuple(t, layout, columns, r.After, want[2*i+1])
		}
	})
}

// compareTuple holds each value's literal against go-mysql's value.
func compareTuple(t *rapid.T, l *Layout, columns []wireColumn, img []byte, want []any) {
	w, err := l.walk(img)
	if err != nil {
		t.Fatal(err)
	}
	tuple := "("
	for i, c := range columns {
		v, null, ok := w.next(i)
		if !ok {
			t.Fatal("cut off")
		}
		got := "NULL"
		if !null {
			literal, err := l.columns[i].appendLiteral(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			got = string(literal)
		}
		if expected := literalOf(c, want[i]); got != expected {
			t.Fatalf("%s (%d, %d): got %s, want %s", c.column.DataType, c.typ, c.meta, got, expected)
		}
		tuple += got + ","
	}
	out, err := l.AppendTuple(nil, img)
	if err != nil || string(out) != strings.TrimSuffix(tuple, ",")+")" {
		t.Fatalf("tuple %s, error %v", out, err)
	}
}

// literalOf writes go-mysql's value of a column as SQL.
func literalOf(c wireColumn, v any) string {
	if v == nil {
		return "NULL"
	}
	quoted := func(intro, s string) string {
		return intro + "'" + strings.NewReplacer("\x00", `\0`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`, "'", `\'`, `"`, `\"`, `\`, `\\`).Replace(s) + "'"
	}
	switch c.column.DataType {
	case "bit", "set":
		return strconv.FormatUint(uint64(v.(int64)), 10)
	case "float":
		return strconv.FormatFloat(float64(v.(float32)), 'e', -1, 64)
	case "double":
		return strconv.FormatFloat(v.(float64), 'e', -1, 64)
	case "year":
		if v.(int) == 0 {
			return "'0000'"
		}
		return strconv.Itoa(v.(int))
	case "decimal":
		return v.(string)
	case "time":
		s := v.(string)
		if c.column.FSP > 0 && !strings.Contains(s, ".") {
			s += "." + strings.Repeat("0", c.column.FSP) // go-mysql leaves a fraction of zero out.
		}
		return "'" + s + "'"
	case "date", "datetime", "timestamp":
		return "'" + v.(string) + "'"
	case "varchar":
		if c.column.Charset != "utf8mb4" {
			return quoted("_"+c.column.Charset, v.(string))
		}
		return quoted("", v.(string))
	case "mediumblob":
		return quoted("_binary", string(v.([]byte)))
	case "binary":
		s := v.(string)
		return quoted("_binary", s+strings.Repeat("\x00", int(c.column.MaxBytes)-len(s)))
	}
	return fmt.Sprint(v)
}

// drawColumn draws a column of one of the types whose values go-mysql decodes exactly.
func drawColumn(t *rapid.T) wireColumn {
	unsigned := rapid.Bool().Draw(t, "unsigned")
	fsp := rapid.IntRange(0, 6).Draw(t, "fsp")
	n := rapid.IntRange(1, 64).Draw(t, "n")
	precision := rapid.IntRange(1, 65).Draw(t, "precision")
	scale := rapid.IntRange(0, min(30, precision)).Draw(t, "scale")
	return rapid.SampledFrom([]wireColumn{
		{typeTiny, 0, schema.Column{DataType: "tinyint", Unsigned: unsigned}},
		{typeShort, 0, schema.Column{DataType: "smallint", Unsigned: unsigned}},
		{typeInt24, 0, schema.Column{DataType: "mediumint", Unsigned: unsigned}},
		{typeLong, 0, schema.Column{DataType: "int", Unsigned: unsigned}},
		{typeLonglong, 0, schema.Column{DataType: "bigint", Unsigned: unsigned}},
		{typeNewDecimal, uint16(precision<<8 | scale), schema.Column{DataType: "decimal", Precision: precision, Scale: scale}},
		{typeFloat, 4, schema.Column{DataType: "float"}},
		{typeDouble, 8, schema.Column{DataType: "double"}},
		{typeBit, uint16(n/8<<8 | n%8), schema.Column{DataType: "bit", Precision: n}},
		{typeYear, 0, schema.Column{DataType: "year"}},
		{typeDate, 0, schema.Column{DataType: "date"}},
		{typeTime2, uint16(fsp), schema.Column{DataType: "time", FSP: fsp}},
		{typeDatetime2, uint16(fsp), schema.Column{DataType: "datetime", FSP: fsp}},
		{typeTimestamp2, uint16(fsp), schema.Column{DataType: "timestamp", FSP: fsp}},
		{typeString, typeEnum<<8 | 2, schema.Column{DataType: "enum", ColumnType: "enum(" + setMembers(300) + ")"}},
		{typeString, typeSet<<8 | 8, schema.Column{DataType: "set", ColumnType: "set(" + setMembers(64) + ")"}},
		{typeVarchar, uint16(n * 10), schema.Column{DataType: "varchar", MaxBytes: int64(n * 10), Charset: "utf8mb4"}},
		{typeVarchar, uint16(n * 10), schema.Column{DataType: "varchar", MaxBytes: int64(n * 10), Charset: "latin1"}},
		{typeString, uint16(typeString&^0x30|(n*15&0x300)>>4^0x30)<<8 | uint16(n*15&0xff), schema.Column{DataType: "binary", MaxBytes: int64(n * 15)}},
		{typeBlob, 3, schema.Column{DataType: "mediumblob"}},
	}).Draw(t, "column")
}

// drawValue draws a value of a column, as it is on the wire.
func drawValue(t *rapid.T, c wireColumn) []byte {
	random := func(n int) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes") }
	fraction := func(n int) []byte {
		units := int64(math.Pow10(2*((c.column.FSP+1)/2))) - 1
		v := rapid.Int64Range(0, units).Draw(t, "fraction")
		if c.column.FSP%2 == 1 {
			v -= v % 10
		}
		return binary.BigEndian.AppendUint64(nil, uint64(v))[8-n:]
	}
	switch c.column.DataType {
	case "decimal":
		return drawDecimal(t, c.column.Precision, c.column.Scale)
	case "float":
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(rapid.Float32().Draw(t, "float")))
	case "double":
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(rapid.Float64().Draw(t, "double")))
	case "bit":
		b := random((c.column.Precision + 7) / 8)
		if n := c.column.Precision % 8; n != 0 {
			b[0] &= 1<<n - 1
		}
		return b
	case "date":
		y, m, d := rapid.IntRange(0, 9999).Draw(t, "y"), rapid.IntRange(0, 12).Draw(t, "m"), rapid.IntRange(0, 31).Draw(t, "d")
		return binary.LittleEndian.AppendUint32(nil, uint32(y<<9|m<<5|d))[:3]
	case "datetime":
		ymd := rapid.Uint64Range(0, 9999).Draw(t, "y")*13 + rapid.Uint64Range(0, 12).Draw(t, "m")
		whole := (ymd<<5|rapid.Uint64Range(0, 31).Draw(t, "d"))<<17 | drawClock(t, 23)
		return append(binary.BigEndian.AppendUint64(nil, whole+datetimeOffset)[3:], fraction((c.column.FSP+1)/2)...)
	case "timestamp":
		return append(binary.BigEndian.AppendUint32(nil, rapid.Uint32Range(1, math.MaxInt32).Draw(t, "seconds")), fraction((c.column.FSP+1)/2)...)
	case "time":
		n := (c.column.FSP + 1) / 2
		value := int64(drawClock(t, 838))<<(8*n) | int64(bigEndian(fraction(n)))
		if rapid.Bool().Draw(t, "negative") {
			value = -value
		}
		return binary.BigEndian.AppendUint64(nil, uint64(value+timeOffset<<(8*n)))[5-n:]
	case "enum":
		return binary.LittleEndian.AppendUint16(nil, rapid.Uint16Range(1, 300).Draw(t, "enum"))
	case "varchar", "binary":
		s := rapid.StringN(0, -1, int(c.column.MaxBytes)).Draw(t, "text")
		if c.column.DataType == "binary" {
			s = strings.TrimRight(s, "\x00")
		}
		if c.column.MaxBytes < 256 {
			return short(s)
		}
		return long(s)
	case "mediumblob":
		b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "blob")
		return append([]byte{byte(len(b)), byte(len(b) >> 8), 0}, b...)
	}
	w, _ := wireOf(c.typ, c.meta)
	return random(int(w.width))
}

func drawClock(t *rapid.T, hours uint64) uint64 {
	sixty := rapid.Uint64Range(0, 59)
	return rapid.Uint64Range(0, hours).Draw(t, "h")<<12 | sixty.Draw(t, "min")<<6 | sixty.Draw(t, "s")
}

// drawDecimal draws digits and packs them (decimal.cc, decimal2bin).
func drawDecimal(t *rapid.T, precision, scale int) []byte {
	var b []byte
	group := func(digits int) {
		if digits > 0 {
			v := rapid.Uint64Range(0, uint64(pow10[digits])-1).Draw(t, "digits")
			b = append(b, binary.BigEndian.AppendUint64(nil, v)[8-decimalBytes[digits]:]...)
		}
	}
	whole := precision - scale
	group(whole % 9)
	for range whole/9 + scale/9 {
		group(9)
	}
	group(scale % 9)
	if rapid.Bool().Draw(t, "negative") {
		for i := range b {
			b[i] ^= 0xff
		}
	}
	b[0] ^= 0x80
	return b
}
