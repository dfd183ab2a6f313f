package rowimage

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"

	"github.com/google/go-cmp/cmp"
)

func TestParseTableMapReadsOptionalMetadata(t *testing.T) {
	m, _ := tableOf(
		intColumn(""), textColumn("", "utf8mb4", 0), wireColumn{typ: typeLonglong}, varbinaryColumn(""),
		wireColumn{typ: typeString, meta: typeEnum<<8 | 1}, wireColumn{typ: typeBlob, meta: 2}, wireColumn{typ: typeString, meta: typeString<<8 | 16},
	)
	optional := []byte{
		metaSignedness, 1, 0x40, // The second numeric column.
		metaDefaultCharset, 7, 252, 255, 0, 1, 63, 2, 8, // 255 for all texts but the second and third.
		99, 2, 1, 2, // Of a type that is not known.
		metaEnumColsCharset, 1, 33,
		metaPrimaryPrefix, 4, 5, 0, 1, 7, // The sixth column, and seven bytes of the second.
		metaColumnName, 14, 1, 'a', 1, 'b', 1, 'c', 1, 'd', 1, 'e', 1, 'f', 1, 'g',
	}
	id, got, err := ParseTableMap(tableMapBody(1<<47+5, m, optional...))
	if err != nil {
		t.Fatal(err)
	}
	if id != 1<<47+5 {
		t.Errorf("table id %d", id)
	}
	want := *m
	want.Unsigned = []bool{false, false, true, false, false, false, false}
	want.Collations = []uint16{0, 255, 0, 63, 33, 8, 255}
	want.Names = strings.Split("abcdefg", "")
	want.PrimaryKey = []int{5, 1}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
}

// In the metadata of MariaDB a GEOMETRY and a COMPRESSED column have a character set too. With MySQL's way of counting, b had
// the collation of the GEOMETRY before it, 63, and the stream halted at a table that fits.
func TestParseMariaDBTableMapCountsMoreColumns(t *testing.T) {
	m, _ := tableOf(textColumn("a", "latin1", 0), wireColumn{typ: typeGeometry, meta: 4}, textColumn("b", "utf8mb4", 0), intColumn("n"),
		wireColumn{typ: typeVarcharCompressed, meta: 256}, wireColumn{typ: typeBlobCompressed, meta: 2}, textColumn("c", "latin2", 0))
	body := tableMapBody(1, m, metaColumnCharset, 6, 8, 63, 45, 33, 63, 9)
	_, got, err := ParseMariaDBTableMap(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint16{8, 63, 45, 0, 33, 63, 9}, got.Collations); diff != "" || !got.MariaDB {
		t.Errorf("of MariaDB: %v %s", got.MariaDB, diff)
	}
	if _, got, err = ParseTableMap(body); err != nil || got.MariaDB || got.Collations[2] != 63 {
		t.Errorf("of MySQL: %+v, %v", got, err)
	}
}

func TestParsePrimaryKey(t *testing.T) {
	m, _ := tableOf(intColumn("a"), intColumn("b"), intColumn("c"))
	for name, c := range map[string]struct {
		optional []byte
		want     []int // Nil where it is an error.
	}{
		"whole columns":           {[]byte{metaPrimaryKey, 2, 2, 0}, []int{2, 0}},
		"prefixes":                {[]byte{metaPrimaryPrefix, 4, 1, 0, 0, 10}, []int{1, 0}},
		"a column too many":       {[]byte{metaPrimaryKey, 1, 3}, nil},
		"no length of the prefix": {[]byte{metaPrimaryPrefix, 3, 1, 0, 0}, nil},
	} {
		_, got, err := ParseTableMap(tableMapBody(1, m, c.optional...))
		if (err != nil) != (c.want == nil) || err == nil && !slices.Equal(got.PrimaryKey, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Whatever part of an event is missing, it is an error.
func TestParseCutOff(t *testing.T) {
	m, _ := tableOf(intColumn("a"), textColumn("b", "utf8mb4", 0))
	body := tableMapBody(1, m, metaSignedness, 1, 0)
	for n := range body {
		if _, _, err := ParseTableMap(body[:n]); err == nil && n != len(body)-3 { // Without optional metadata it is whole.
			t.Errorf("TABLE_MAP of %d bytes: no error", n)
		}
	}
	rows := rowsBody(1, 2, true, image(int4(1), short("x")), image(int4(2), short("y")))
	head := len(rowsBody(1, 2, true))
	for n := range rows {
		e, err := ParseRowsHeader(updateRowsV2, rows[:n])
		if n < head {
			if err == nil {
				t.Errorf("rows header of %d bytes: no error", n)
			}
			continue
		}
		h, err := e.Header(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Split(h, e.Data, nil); err == nil && n != head || len(got) != 0 {
			t.Errorf("rows of %d bytes: %d rows, no error", n, len(got))
		}
	}
}

func TestParseRowsHeader(t *testing.T) {
	img := image(int4(1))
	v1 := []byte{1, 0, 0, 0, 0, 0, 2, 0, 1, 0xff, 0, 1, 0, 0, 0}
	v2 := []byte{1, 0, 0, 0, 0, 0, 2, 0, 5, 0, 9, 9, 9, 1, 0xff, 0, 1, 0, 0, 0} // Three bytes of extra data.
	want := RowsEvent{TableID: 1, Flags: 2, Columns: 1, Data: img}
	for name, c := range map[string]struct {
		typ  byte
		body []byte
		want func(e *RowsEvent)
	}{
		"insert of version 1": {writeRowsV1, v1, func(e *RowsEvent) { e.Op, e.PresentAfter = change.Insert, []byte{0xff} }},
		"insert of version 2": {writeRowsV2, v2, func(e *RowsEvent) { e.Op, e.PresentAfter = change.Insert, []byte{0xff} }},
		"delete of version 2": {deleteRowsV2, v2, func(e *RowsEvent) { e.Op, e.PresentBefore = change.Delete, []byte{0xff} }},
		"update of version 1": {updateRowsV1, append(v1[:9:9], append([]byte{0xff, 0xfe}, img...)...), func(e *RowsEvent) {
			e.Op, e.PresentBefore, e.PresentAfter = change.Update, []byte{0xff}, []byte{0xfe}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRowsHeader(c.typ, c.body)
			if err != nil {
				t.Fatal(err)
			}
			expected := want
			c.want(&expected)
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, typ := range []byte{20, 38, 40, 19} {
		if _, err := ParseRowsHeader(typ, v2); err == nil {
			t.Errorf("event type %d: no error", typ)
		}
	}
}

func TestHeaderTellsFullImages(t *testing.T) {
	columns := make([]wireColumn, 9)
	for i := range columns {
		columns[i] = intColumn("")
	}
	m, _ := tableOf(columns...)
	for name, c := range map[string]struct {
		before, after []byte
		want          bool
	}{
		"all columns in both": {[]byte{0xff, 0x01}, []byte{0xff, 0xff}, true}, "an insert": {nil, []byte{0xff, 0x01}, true},
		"a column missing before": {[]byte{0xfe, 0x01}, []byte{0xff, 0x01}, false}, "the last column missing after": {[]byte{0xff, 0x01}, []byte{0xff, 0xfe}, false},
	} {
		h, err := (&RowsEvent{Op: change.Update, Columns: 9, PresentBefore: c.before, PresentAfter: c.after}).Header(m)
		if err != nil || h.Full != c.want {
			t.Errorf("%s: full is %v, error %v", name, h.Full, err)
		}
	}
	if _, err := (&RowsEvent{Op: change.Insert, Columns: 8}).Header(m); err == nil {
		t.Error("another number of columns: no error")
	}
}

// Images with some columns only have a null bit per column that is there.
func TestSplitPartialImages(t *testing.T) {
	m, _ := tableOf(intColumn("a"), textColumn("b", "utf8mb4", 0), intColumn("c"))
	h := &change.RowsHeader{Table: m, Op: change.Update, PresentBefore: []byte{0b001}, PresentAfter: []byte{0b110}}
	before1, after1 := []byte{0, 1, 0, 0, 0}, []byte{0b01, 2, 0, 0, 0}
	before2, after2 := []byte{1}, []byte{0b10, 1, 'x'}
	rows, err := Split(h, bytes.Join([][]byte{before1, after1, before2, after2}, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []change.Row{{RowsHeader: h, Before: before1, After: after1}, {RowsHeader: h, Before: before2, After: after2}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}

// An image without columns takes no bytes: a loop over it would never end.
func TestSplitRefusesImagesWithoutColumns(t *testing.T) {
	m, _ := tableOf(intColumn("a"))
	h := &change.RowsHeader{Table: m, Op: change.Insert, PresentAfter: []byte{0}}
	if rows, err := Split(h, []byte{1}, nil); err == nil {
		t.Errorf("%d rows, no error", len(rows))
	}
}

func FuzzParseTableMap(f *testing.F) {
	m, _ := tableOf(intColumn("a"), textColumn("b", "utf8mb4", 0), wireColumn{typ: typeJSON, meta: 4}, wireColumn{typ: typeNewDecimal, meta: 10<<8 | 2})
	f.Add(tableMapBody(1, m, metaSignedness, 1, 0, metaDefaultCharset, 1, 45, metaColumnName, 8, 1, 'a', 1, 'b', 1, 'c', 1, 'd'))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, m, err := ParseTableMap(body)
		if err == nil && (len(m.Meta) != len(m.Types) || len(m.Nullable) != bitmapLen(len(m.Types))) {
			t.Errorf("uneven: %+v", m)
		}
	})
}

// Rows never reach beyond their event, together they are all of it, and no writer panics on any of them.
func FuzzRows(f *testing.F) {
	l := mixedTable(f)
	columns := l.source.Columns()
	f.Add(byte(updateRowsV2), rowsBody(1, columns, true, mixedRow(1, "a", 1, nil), mixedRow(2, "b", 2, long("x"))))
	f.Add(byte(writeRowsV1), rowsBody(1, columns, false, mixedRow(1, "a", 1, nil))[2:])
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		e, err := ParseRowsHeader(typ, body)
		if err != nil {
			return
		}
		h, err := e.Header(l.source)
		if err != nil {
			return
		}
		rows, err := Split(h, e.Data, nil)
		if err != nil {
			return
		}
		total := 0
		for _, r := range rows {
			total += r.Size()
			if !h.Full {
				continue
			}
			for _, img := range [][]byte{r.Before, r.After} {
				l.AppendTuple(nil, img)
				l.AppendMatch(nil, img)
				l.AppendIdentity(nil, img)
				l.AppendKey(nil, img, l.table.Identity)
			}
			l.AppendSet(nil, r.Before, r.After)
		}
		if total != len(e.Data) {
			t.Errorf("%d bytes in rows, %d in the event", total, len(e.Data))
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte{jsonLiteral, 0})
	f.Add([]byte{jsonSmallArray, 2, 0, 12, 0, jsonInt16, 1, 0, jsonString, 10, 0, 1, 'x'})
	f.Add([]byte{jsonSmallObject, 1, 0, 12, 0, 11, 0, 1, 0, jsonUint16, 5, 0, 'a'})
	f.Add([]byte{jsonOpaque, typeNewDecimal, 4, 2, 1, 0x81, 5})
	for _, typ := range []byte{typeVarchar, typeBlob, typeString, jsonMediumBlob, jsonLongBlob, typeBit} {
		f.Add([]byte{jsonOpaque, typ, 2, 0xff, '\''})
	}
	f.Add([]byte{jsonOpaque, typeTimestamp, 8, 0, 0, 0, 0, 0, 0, 0, 0x19})
	f.Fuzz(func(t *testing.T, doc []byte) {
		out, err := appendJSON([]byte("x"), doc)
		if err != nil {
			return
		}
		// A byte becomes at most "\\u00XX", a number or literal a CAST of some forty bytes; nothing unfolds further.
		if len(out) > 100*len(doc)+100 {
			t.Errorf("%d bytes from %d", len(out), len(doc))
		}
		if text := out[1] == '\''; text != jsonIsText(doc) {
			t.Errorf("written as a text: %v, announced: %v", text, !text)
		}
	})
}
