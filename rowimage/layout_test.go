package rowimage

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"

	"github.com/google/go-cmp/cmp"
)

// Ids of collations.
const (
	utf8mb4AICI  = 255
	utf8mb4Bin   = 46
	utf8mb3CI    = 33
	latin1CI     = 8
	binaryString = 63
)

func mustBind(t testing.TB, m *change.TableMap, table *schema.Table) *Layout {
	t.Helper()
	l, err := Bind(m, table)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLiterals(t *testing.T) {
	decimal := func(p, s int) wireColumn {
		return wireColumn{typeNewDecimal, uint16(p<<8 | s), schema.Column{DataType: "decimal", Precision: p, Scale: s}}
	}
	temporal := func(typ byte, name string, fsp int) wireColumn {
		return wireColumn{typ, uint16(fsp), schema.Column{DataType: name, FSP: fsp}}
	}
	bitN := func(n int) wireColumn {
		return wireColumn{typeBit, uint16(n/8<<8 | n%8), schema.Column{DataType: "bit", Precision: n}}
	}
	bigint := wireColumn{typeLonglong, 0, schema.Column{DataType: "bigint"}}
	unsigned := wireColumn{typeLonglong, 0, schema.Column{DataType: "bigint", Unsigned: true}}
	double := wireColumn{typeDouble, 8, schema.Column{DataType: "double"}}
	float := wireColumn{typeFloat, 4, schema.Column{DataType: "float"}}
	year := wireColumn{typeYear, 0, schema.Column{DataType: "year"}}
	date := wireColumn{typeDate, 0, schema.Column{DataType: "date"}}
	json := wireColumn{typeJSON, 4, schema.Column{DataType: "json"}}
	for name, c := range map[string]struct {
		column wireColumn
		hex    string
		want   string
	}{
		"the smallest BIGINT":                   {bigint, "0000000000000080", "-9223372036854775808"},
		"the largest BIGINT UNSIGNED":           {unsigned, "ffffffffffffffff", "18446744073709551615"},
		"a negative MEDIUMINT":                  {wireColumn{typeInt24, 0, schema.Column{DataType: "mediumint"}}, "ffffff", "-1"},
		"DECIMAL digit for digit":               {decimal(14, 4), "810dfb38d204d2", "1234567890.1234"},
		"a negative DECIMAL":                    {decimal(14, 4), "7ef204c72dfb2d", "-1234567890.1234"},
		"a DECIMAL keeps its trailing zeros":    {decimal(3, 2), "8132", "1.50"},
		"DECIMAL(n,0) of value 0":               {decimal(5, 0), "800000", "0"},
		"FLOAT 0.1 widened to the same number":  {float, "cdcccc3d", "1.0000000149011612e-01"},
		"negative zero":                         {double, "0000000000000080", "-0e+00"},
		"the smallest DOUBLE":                   {double, "0100000000000000", "5e-324"},
		"the largest DOUBLE":                    {double, "ffffffffffffef7f", "1.7976931348623157e+308"},
		"BIT(64) with all bits":                 {bitN(64), "ffffffffffffffff", "18446744073709551615"},
		"BIT(9) high byte first":                {bitN(9), "0102", "258"},
		"YEAR 0000":                             {year, "00", "'0000'"},
		"the last YEAR":                         {year, "ff", "2155"},
		"a zero DATE":                           {date, "000000", "'0000-00-00'"},
		"an invalid DATE":                       {date, "5fd00f", "'2024-02-31'"},
		"the shortest negative TIME":            {temporal(typeTime2, "time", 2), "7fffffff", "'-00:00:00.01'"},
		"a negative TIME of whole seconds":      {temporal(typeTime2, "time", 2), "7fffff00", "'-00:00:01.00'"},
		"a negative TIME with microseconds":     {temporal(typeTime2, "time", 6), "7ffffeffffff", "'-00:00:01.000001'"},
		"the longest TIME":                      {temporal(typeTime2, "time", 0), "b46efb", "'838:59:59'"},
		"a DATETIME with one digit":             {temporal(typeDatetime2, "datetime", 1), "99b2bb7efb5a", "'2024-02-29 23:59:59.9'"},
		"a zero DATETIME":                       {temporal(typeDatetime2, "datetime", 0), "8000000000", "'0000-00-00 00:00:00'"},
		"a zero TIMESTAMP":                      {temporal(typeTimestamp2, "timestamp", 3), "000000000000", "'0000-00-00 00:00:00.000'"},
		"the last TIMESTAMP":                    {temporal(typeTimestamp2, "timestamp", 6), "7fffffff0f423f", "'2038-01-19 03:14:07.999999'"},
		"a leap day":                            {temporal(typeTimestamp2, "timestamp", 0), "38bc5d7f", "'2000-02-29 23:59:59'"},
		"an old TIME":                           {temporal(typeTime, "time", 0), "40e201", "'12:34:56'"},
		"an old negative TIME":                  {temporal(typeTime, "time", 0), "c01dfe", "'-12:34:56'"},
		"the longest old TIME":                  {temporal(typeTime, "time", 0), "590a80", "'-838:59:59'"},
		"an old TIME of a second":               {temporal(typeTime, "time", 0), "ffffff", "'-00:00:01'"},
		"an old DATETIME":                       {temporal(typeDatetime, "datetime", 0), "80c5aa8b68120000", "'2024-02-29 12:34:56'"},
		"an old zero DATETIME":                  {temporal(typeDatetime, "datetime", 0), "0000000000000000", "'0000-00-00 00:00:00'"},
		"an old DATETIME of an invalid day":     {temporal(typeDatetime, "datetime", 0), "c067c78b68120000", "'2024-02-31 00:00:00'"},
		"an old TIMESTAMP":                      {temporal(typeTimestamp, "timestamp", 0), "ffffff7f", "'2038-01-19 03:14:07'"},
		"an old zero TIMESTAMP":                 {temporal(typeTimestamp, "timestamp", 0), "00000000", "'0000-00-00 00:00:00'"},
		"sjis goes as hexadecimal":              {textColumn("a", "sjis", 0), "02835c", "_sjis x'835c'"},
		"an empty text in a wide set":           {textColumn("a", "utf32", 0), "00", "_utf32 x''"},
		"koi8r is quoted":                       {textColumn("a", "koi8r", 0), "03c15c27", `_koi8r'` + "\xc1" + `\\\''`},
		"text with what must be escaped":        {textColumn("a", "utf8mb4", 0), "0800270a0d1a5c2225", `'\0\'\n\r\Z\\\"%'`},
		"UTF-8 as it is":                        {textColumn("a", "utf8mb4", 0), "04f09f9880", "'😀'"},
		"a surrogate goes as hexadecimal":       {textColumn("a", "utf8mb3", 0), "03eda080", "_utf8mb3 x'eda080'"},
		"latin1 with its own bytes":             {textColumn("a", "latin1", 0), "0381005c", "_latin1'\x81\\0\\\\'"},
		"BINARY(4) padded":                      {wireColumn{typeString, typeString<<8 | 4, schema.Column{DataType: "binary", MaxBytes: 4}}, "026162", `_binary'ab\0\0'`},
		"VARBINARY as it is":                    {varbinaryColumn("a"), "02006162", "_binary'ab'"},
		"ENUM by number":                        {wireColumn{typeString, typeEnum<<8 | 1, schema.Column{DataType: "enum", ColumnType: "enum('a','b')"}}, "02", "2"},
		"SET by bits":                           {wireColumn{typeString, typeSet<<8 | 2, schema.Column{DataType: "set", ColumnType: "set(" + setMembers(9) + ")"}}, "0101", "257"},
		"JSON null":                             {json, "020000000400", "'null'"},
		"JSON string with quotes of both kinds": {json, "070000000c052722" + "5c0a3c", `'"\'\\"\\\\\\u000a<"'`},
		"JSON small unsigned as an expression":  {json, "03000000060500", "CAST(CAST(5 AS UNSIGNED) AS JSON)"},
		"JSON large unsigned as text":           {json, "090000000affffffffffffffff", "'18446744073709551615'"},
		"JSON double that is whole":             {json, "090000000b000000000000f03f", "'1e+00'"},
		"JSON decimal as an expression":         {json, "070000000ff60402018105", "CAST(1.5 AS JSON)"},
		"JSON empty array":                      {json, "050000000200000400", "'[]'"},
		"NULL":                                  {bigint, "", "NULL"},
		"text that is empty":                    {textColumn("a", "utf8mb4", 0), "00", "''"},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := hex.DecodeString(c.hex)
			if err != nil {
				t.Fatal(err)
			}
			m, table := tableOf(c.column)
			img := image(raw)
			if c.hex == "" {
				img = image(nil)
			}
			got, err := mustBind(t, m, table).AppendTuple([]byte("x"), img)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("x("+c.want+")", string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A table with each kind of column that statements treat in their own way.
func mixedTable(t testing.TB) *Layout {
	m, table := tableOf(
		intColumn("id"),
		textColumn("na`me", "utf8mb4", utf8mb4AICI),
		wireColumn{typeTimestamp2, 0, schema.Column{Name: "seen", DataType: "timestamp", OnUpdateNow: true}},
		wireColumn{typeLong, 0, schema.Column{Name: "twice", DataType: "int", Generated: schema.StoredColumn}},
		wireColumn{typeGeometry, 4, schema.Column{Name: "place", DataType: "geometry", Generated: schema.VirtualColumn}},
		varbinaryColumn("raw"),
	)
	table.Identity = &schema.Key{Name: "PRIMARY", Weighed: true, NotNull: true, Parts: []schema.KeyPart{{Column: 1}, {Column: 0}}}
	return mustBind(t, m, table)
}

func mixedRow(id int32, name string, seen uint32, raw []byte) []byte {
	ts := []byte{byte(seen >> 24), byte(seen >> 16), byte(seen >> 8), byte(seen)}
	return image(int4(id), short(name), ts, int4(2*id), []byte{1, 0, 0, 0, 0xff}, raw)
}

func TestStatements(t *testing.T) {
	l := mixedTable(t)
	a, b := mixedRow(1, "Ann", 86400, long("x")), mixedRow(1, "ANN", 86400, nil)
	call := func(f func(dst []byte) ([]byte, error)) string {
		t.Helper()
		out, err := f([]byte("> "))
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	set := func(before, after []byte) func([]byte) ([]byte, error) {
		return func(dst []byte) ([]byte, error) {
			out, changed, err := l.AppendSet(dst, before, after)
			if changed != (len(out) > len(dst)) {
				t.Errorf("changed is %v for %s", changed, out)
			}
			return out, err
		}
	}
	got := []string{
		l.InsertColumns(),
		call(func(dst []byte) ([]byte, error) { return l.AppendTuple(dst, a) }),
		l.IdentityColumns(),
		call(func(dst []byte) ([]byte, error) { return l.AppendIdentity(dst, a) }),
		call(func(dst []byte) ([]byte, error) { return l.AppendIdentityMatch(dst, a) }),
		call(func(dst []byte) ([]byte, error) { return l.AppendMatch(dst, b) }),
		call(set(a, b)),
		call(set(a, a)),
		call(set(a, mixedRow(1, "Ann", 86401, long("x")))),
	}
	want := []string{
		"`id`,`na``me`,`seen`,`raw`",
		"> (1,'Ann','1970-01-02 00:00:00',_binary'x')",
		"(`na``me`,`id`)",
		"> ('Ann',1)",
		"> `na``me`='Ann' AND `id`=1",
		"> `id`<=>1 AND CAST(`na``me` AS BINARY)<=>_binary'ANN' AND `seen`<=>'1970-01-02 00:00:00' AND `raw`<=>NULL",
		"> `na``me`='ANN',`seen`='1970-01-02 00:00:00',`raw`=NULL",
		"> ",
		"> `seen`='1970-01-02 00:00:01'",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An update that changes generated columns alone writes nothing: the target computes them.
func TestSetIgnoresGeneratedColumns(t *testing.T) {
	l := mixedTable(t)
	a := mixedRow(1, "Ann", 86400, nil)
	b := append([]byte(nil), a...)
	b[1+4+4+4] ^= 0xff
	if out, changed, err := l.AppendSet(nil, a, b); changed || len(out) != 0 || err != nil {
		t.Errorf("got %q, %v, %v", out, changed, err)
	}
}

// Fewer bytes or more than an image has never pass, in any method, and dst comes back as it was.
func TestDamagedImages(t *testing.T) {
	l := mixedTable(t)
	img := mixedRow(7, "some name", 86400, long("raw"))
	methods := map[string]func(dst, img []byte) ([]byte, error){
		"tuple": l.AppendTuple, "identity": l.AppendIdentity, "identity match": l.AppendIdentityMatch, "match": l.AppendMatch,
		"set": func(dst, img []byte) ([]byte, error) {
			out, _, err := l.AppendSet(dst, mixedRow(7, "other", 1, nil), img)
			return out, err
		},
		"key": func(dst, img []byte) ([]byte, error) {
			out, _, err := l.AppendKey(dst, img, l.table.Identity)
			return out, err
		},
	}
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			for n := range img {
				out, err := method([]byte("dst"), img[:n:n])
				prefixOnly := strings.HasPrefix(name, "identity") || name == "key"
				if err == nil && !(prefixOnly && n >= 1+4+1+9) {
					t.Errorf("%d of %d bytes: no error", n, len(img))
				}
				if err != nil && string(out) != "dst" {
					t.Errorf("%d bytes: dst became %q", n, out)
				}
			}
		})
	}
	if _, err := l.AppendTuple(nil, append(img, 0)); !errors.Is(err, errTrailing) {
		t.Errorf("a byte too many: %v", err)
	}
}

// Values that are not carried over are refused by name, and no error shows them (invariant 9).
func TestRefusedValues(t *testing.T) {
	for name, c := range map[string]struct {
		column wireColumn
		value  []byte
	}{
		"JSON of length zero":          {wireColumn{typeJSON, 4, schema.Column{DataType: "json"}}, []byte{0, 0, 0, 0}},
		"JSON with an opaque TINYBLOB": {wireColumn{typeJSON, 4, schema.Column{DataType: "json"}}, append([]byte{9, 0, 0, 0, jsonOpaque, 249, 6}, "SECRET"...)},
		"half a character of ucs2":     {textColumn("c1", "ucs2", 0), short("SECRET!")},
		"JSON that is not UTF-8":       {wireColumn{typeJSON, 4, schema.Column{DataType: "json"}}, append([]byte{9, 0, 0, 0, jsonString, 7}, "SECRET\xff"...)},
	} {
		t.Run(name, func(t *testing.T) {
			m, table := tableOf(c.column)
			_, err := mustBind(t, m, table).AppendTuple(nil, image(c.value))
			f := change.FaultOf(err)
			if f == nil || f.Code != CodeUnsupported || f.Class != change.ClassPerson || !strings.Contains(f.Where, "`c1`") || f.Next == "" {
				t.Fatalf("no fault as it should be: %v", err)
			}
			if strings.Contains(err.Error()+f.Next, "SECRET") {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}

// The hot path writes each type without an allocation.
func TestNoAllocations(t *testing.T) {
	named := func(name string, c wireColumn) wireColumn { c.column.Name = name; return c }
	m, table := tableOf(
		intColumn("a"), textColumn("b", "utf8mb4", utf8mb4AICI), textColumn("c", "latin1", latin1CI), varbinaryColumn("d"),
		named("e", wireColumn{typeNewDecimal, 14<<8 | 4, schema.Column{DataType: "decimal", Precision: 14, Scale: 4}}),
		named("f", wireColumn{typeTime2, 2, schema.Column{DataType: "time", FSP: 2}}),
		named("g", wireColumn{typeDatetime2, 1, schema.Column{DataType: "datetime", FSP: 1}}),
		named("h", wireColumn{typeTimestamp2, 0, schema.Column{DataType: "timestamp"}}),
		named("i", wireColumn{typeDouble, 8, schema.Column{DataType: "double"}}),
		named("j", wireColumn{typeJSON, 4, schema.Column{DataType: "json"}}),
		named("k", wireColumn{typeString, typeEnum<<8 | 1, schema.Column{DataType: "enum", ColumnType: "enum('a','b')"}}),
	)
	table.Identity = &schema.Key{Name: "PRIMARY", Weighed: true, Parts: []schema.KeyPart{{Column: 10}, {Column: 1}, {Column: 2}, {Column: 4}, {Column: 6}}}
	l := mustBind(t, m, table)
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	img := image(int4(7), short("déjà 'vu'"), short("\xe9"), long("raw"), unhex("810dfb38d204d2"), unhex("7fffffff"), unhex("99b2bb7efb5a"),
		unhex("38bc5d7f"), unhex("000000000000f03f"), unhex("070000000ff60402018105"), []byte{2})
	other := append([]byte(nil), img...)
	other[2] ^= 1
	dst := make([]byte, 0, 4096)
	for name, f := range map[string]func() error{
		"tuple":    func() error { _, err := l.AppendTuple(dst, img); return err },
		"identity": func() error { _, err := l.AppendIdentity(dst, img); return err },
		"match":    func() error { _, err := l.AppendMatch(dst, img); return err },
		"set":      func() error { _, _, err := l.AppendSet(dst, img, other); return err },
		"key":      func() error { _, _, err := l.AppendKey(dst, img, table.Identity); return err },
	} {
		if n := testing.AllocsPerRun(50, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
