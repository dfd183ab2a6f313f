package rowimage

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// wireColumn is a column as both sides describe it, for tests that build their own events.
type wireColumn struct {
	typ    byte
	meta   uint16
	column schema.Column
}

// tableOf builds both descriptions of a table, without optional metadata.
func tableOf(columns ...wireColumn) (*change.TableMap, *schema.Table) {
	m := &change.TableMap{Schema: "s", Table: "t", Nullable: make([]byte, bitmapLen(len(columns)))}
	t := &schema.Table{Schema: "s", Name: "t"}
	for i, c := range columns {
		m.Types, m.Meta = append(m.Types, c.typ), append(m.Meta, c.meta)
		if c.column.Name == "" {
			c.column.Name = fmt.Sprintf("c%d", i+1)
		}
		t.Columns = append(t.Columns, c.column)
	}
	return m, t
}

// Columns that many tests use.
func intColumn(name string) wireColumn {
	return wireColumn{typeLong, 0, schema.Column{Name: name, DataType: "int"}}
}

func textColumn(name, charset string, collation uint16) wireColumn {
	return wireColumn{typeVarchar, 40, schema.Column{Name: name, DataType: "varchar", MaxBytes: 40, Charset: charset, CollationID: collation}}
}

func varbinaryColumn(name string) wireColumn {
	return wireColumn{typeVarchar, 300, schema.Column{Name: name, DataType: "varbinary", MaxBytes: 300}}
}

// tableMapBody writes a TABLE_MAP event's body, with optional metadata fields appended as they are.
func tableMapBody(id uint64, m *change.TableMap, optional ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, id)[:6]
	b = append(b, 1, 0)
	for _, name := range []string{m.Schema, m.Table} {
		b = append(append(append(b, byte(len(name))), name...), 0)
	}
	b = appendPacked(b, len(m.Types))
	b = append(b, m.Types...)
	var meta []byte
	for i, typ := range m.Types {
		switch v := m.Meta[i]; typ {
		case typeString, typeNewDecimal:
			meta = append(meta, byte(v>>8), byte(v))
		case typeVarchar, typeVarString, typeBit, typeVarcharCompressed:
			meta = append(meta, byte(v), byte(v>>8))
		case typeBlob, typeBlobCompressed, typeDouble, typeFloat, typeGeometry, typeVector, typeJSON, typeTime2, typeDatetime2, typeTimestamp2:
			meta = append(meta, byte(v))
		}
	}
	b = append(appendPacked(b, len(meta)), meta...)
	b = append(b, make([]byte, bitmapLen(len(m.Types)))...)
	return append(b, optional...)
}

func appendPacked(b []byte, n int) []byte {
	if n < 251 {
		return append(b, byte(n))
	}
	return append(b, 252, byte(n), byte(n>>8))
}

// rowsBody writes the body of a row event of version 2 with all columns present.
func rowsBody(id uint64, columns int, update bool, images ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, id)[:6]
	b = append(b, 1, 0, 2, 0)
	b = appendPacked(b, columns)
	for range map[bool]int{false: 1, true: 2}[update] {
		b = append(b, allPresent(columns)...)
	}
	for _, img := range images {
		b = append(b, img...)
	}
	return b
}

func allPresent(columns int) []byte {
	return []byte(strings.Repeat("\xff", bitmapLen(columns)))
}

// image builds a full image; a nil value is NULL. Values come with their length before them, if they have one.
func image(values ...[]byte) []byte {
	img := make([]byte, bitmapLen(len(values)))
	for i, v := range values {
		if v == nil {
			img[i/8] |= 1 << (i % 8)
		}
		img = append(img, v...)
	}
	return img
}

// int4 is a value of an INT.
func int4(v int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

// short is a value with a length of one byte, long one of two.
func short(s string) []byte { return append([]byte{byte(len(s))}, s...) }
func long(s string) []byte  { return append([]byte{byte(len(s)), byte(len(s) >> 8)}, s...) }
