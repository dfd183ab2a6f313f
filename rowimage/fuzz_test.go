package rowimage

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"

	"github.com/go-mysql-org/go-mysql/replication"
)

// columnsFor are the target's columns that a type of the wire may be bound to.
func columnsFor(typ byte, meta uint16) []schema.Column {
	real, length := realString(meta)
	names := map[byte][]string{
		typeTiny: {"tinyint"}, typeShort: {"smallint"}, typeInt24: {"mediumint"}, typeLong: {"int"}, typeLonglong: {"bigint"},
		typeNewDecimal: {"decimal"}, typeFloat: {"float"}, typeDouble: {"double"}, typeBit: {"bit"}, typeYear: {"year"}, typeDate: {"date"},
		typeTime: {"time"}, typeTime2: {"time"}, typeDatetime: {"datetime"}, typeDatetime2: {"datetime"}, typeTimestamp: {"timestamp"}, typeTimestamp2: {"timestamp"},
		typeVarchar: {"varchar", "varbinary"}, typeVarString: {"varchar"}, typeJSON: {"json"}, typeGeometry: {"geometry"}, typeVector: {"vector"},
		typeBlob: {map[uint16]string{1: "tinyblob", 2: "blob", 3: "mediumblob", 4: "longblob"}[meta], map[uint16]string{1: "tinytext", 2: "text", 3: "mediumtext", 4: "longtext"}[meta]},
	}[typ]
	bytes := int64(meta)
	if typ == typeString {
		names, bytes = map[byte][]string{typeString: {"char", "binary"}, typeEnum: {"enum"}, typeSet: {"set"}}[real], int64(length)
	}
	var all []schema.Column
	for _, name := range names {
		c := schema.Column{DataType: name, ColumnType: name, MaxBytes: bytes, FSP: int(min(meta, 6)), Precision: int(meta >> 8), Scale: int(meta & 0xff)}
		switch name {
		case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
			c.Charset, c.Collation, c.CollationID = "utf8mb4", "utf8mb4_0900_ai_ci", utf8mb4AICI
		case "bit":
			c.Precision = bitCount(meta)
		case "enum", "set":
			c.ColumnType = name + "(" + setMembers(map[bool]int{true: 300, false: max(1, 8*length)}[real == typeEnum && length == 2]) + ")"
		}
		all = append(all, c)
	}
	return all
}

// FuzzValues: any bytes as a value of any type are written, compared and weighed, or refused; never with a panic, and
// never with more text than the bytes are worth.
func FuzzValues(f *testing.F) {
	f.Add(byte(typeNewDecimal), uint16(10<<8|2), []byte{0x80, 0, 0, 5, 7})
	f.Add(byte(typeTime2), uint16(3), []byte{0x7f, 0xff, 0xff, 0xff, 0x9c})
	f.Add(byte(typeDatetime2), uint16(6), []byte{0x99, 0xb2, 0x7b, 0x7e, 0xfb, 0, 0, 1})
	f.Add(byte(typeTimestamp2), uint16(1), []byte{0x7f, 0xff, 0xff, 0xff, 0x5a})
	f.Add(byte(typeString), uint16(typeEnum<<8|1), []byte{1})
	f.Add(byte(typeString), uint16(typeSet<<8|8), []byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Add(byte(typeString), uint16(typeString<<8|20), []byte{3, 'a', 0xc3, 0xa9})
	f.Add(byte(typeVarchar), uint16(400), []byte{2, 0, 0xff, '\''})
	f.Add(byte(typeBlob), uint16(4), []byte{1, 0, 0, 0, 0x5c})
	f.Add(byte(typeBlob), uint16(2), []byte{255, 255, 1})
	f.Add(byte(typeJSON), uint16(4), []byte{2, 0, 0, 0, jsonLiteral, 1})
	f.Add(byte(typeBit), uint16(8<<8), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	for _, typ := range []byte{typeTiny, typeShort, typeInt24, typeLong, typeLonglong, typeFloat, typeDouble, typeYear, typeDate, typeTime, typeDatetime, typeTimestamp} {
		f.Add(typ, uint16(4), []byte{255, 255, 255, 255, 255, 255, 255, 255})
	}
	f.Fuzz(func(t *testing.T, typ byte, meta uint16, data []byte) {
		for _, column := range columnsFor(typ, meta) {
			m, table := tableOf(wireColumn{typ, meta, column}, intColumn("id"))
			table.Identity = &schema.Key{Name: "PRIMARY", NotNull: true, Weighed: true, Parts: []schema.KeyPart{{Column: 0, Prefix: len(data) % 4}}}
			l, err := Bind(m, table)
			if err != nil { // A type that no key can have, or none at all.
				table.Identity = nil
				if l, err = Bind(m, table); err != nil {
					continue
				}
			}
			img := append(append([]byte{0}, data...), int4(1)...)
			out, _ := l.AppendTuple(nil, img)
			if out, err = l.AppendMatch(out, img); len(out) > 300*len(data)+int(2*column.MaxBytes)+1000 {
				t.Errorf("%s: %d bytes from %d, %v", column.DataType, len(out), len(data), err)
			}
			if table.Identity != nil {
				l.AppendIdentity(nil, img)
				l.AppendKey(nil, img, table.Identity)
			}
		}
	})
}

// FuzzPartialRows: images with any columns left out are written or refused.
func FuzzPartialRows(f *testing.F) {
	l := mixedTable(f)
	full := rowsBody(1, l.source.Columns(), true, mixedRow(1, "a", 1, nil), mixedRow(2, "b", 2, long("x")))
	f.Add(byte(updateRowsV2), full)
	minimal := append(rowsBody(1, 6, true)[:11], 0b000011, 0b000010, 0, 1, 0, 0, 0, 1, 'a', 0, 1, 'b') // Key before, one column after.
	f.Add(byte(updateRowsV2), minimal)
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		e, err := ParseRowsHeader(typ, body)
		if err != nil {
			return
		}
		h, err := e.Header(l.source)
		if err != nil || Empty(h) || l.CheckPartial(h) != nil {
			return
		}
		rows, err := Split(h, e.Data, nil)
		if err != nil {
			return
		}
		for i := range rows {
			r := &rows[i]
			if h.Op != change.Delete {
				l.AppendPartialTuple(nil, r.After, h.PresentAfter)
			}
			if h.Op != change.Insert {
				l.AppendPartialMatch(nil, r.Before, h.PresentBefore)
			}
			if h.Op == change.Update {
				l.AppendPartialSet(nil, r)
			}
		}
	})
}

// FuzzTableMapOracle: what both decoders take, they take alike.
func FuzzTableMapOracle(f *testing.F) {
	m, _ := tableOf(intColumn("a"), textColumn("b", "utf8mb4", 0), wireColumn{typ: typeJSON, meta: 4}, wireColumn{typ: typeNewDecimal, meta: 10<<8 | 2},
		wireColumn{typ: typeString, meta: typeEnum<<8 | 2}, wireColumn{typ: typeVector, meta: 4}, wireColumn{typ: typeBit, meta: 7 << 8})
	f.Add(tableMapBody(1, m, metaSignedness, 1, 0, metaDefaultCharset, 1, 45, metaColumnName, 14, 1, 'a', 1, 'b', 1, 'c', 1, 'd', 1, 'e', 1, 'f', 1, 'g'))
	f.Add(tableMapBody(1, m, metaColumnCharset, 2, 45, 63, metaEnumColsCharset, 1, 8))
	f.Fuzz(func(t *testing.T, body []byte) {
		id, ours, err := ParseTableMap(body)
		if err != nil {
			return
		}
		theirs, ok := goMySQLTableMap(body)
		if !ok {
			return
		}
		if id != theirs.TableID || ours.Schema != string(theirs.Schema) || ours.Table != string(theirs.Table) || !bytes.Equal(ours.Types, theirs.ColumnType) ||
			fmt.Sprint(ours.Meta) != fmt.Sprint(theirs.ColumnMeta) {
			t.Errorf("ours %d %+v, theirs %+v", id, ours, theirs)
		}
		if names := theirs.ColumnNameString(); len(names) == len(ours.Names) && strings.Join(names, "\n") != strings.Join(ours.Names, "\n") {
			t.Errorf("names %q, theirs %q", ours.Names, names)
		}
	})
}

// goMySQLTableMap is go-mysql's reading; it panics on much of what is cut off.
func goMySQLTableMap(body []byte) (_ *replication.TableMapEvent, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	p := replication.NewBinlogParser()
	decoded, err := p.Parse(event(replication.TABLE_MAP_EVENT, body))
	if err != nil {
		return nil, false
	}
	return decoded.Event.(*replication.TableMapEvent), true
}
