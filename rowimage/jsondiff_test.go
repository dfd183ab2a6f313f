package rowimage

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"

	"github.com/google/go-cmp/cmp"
)

// Events of MySQL 9.7.4, table x (id INT PRIMARY KEY, j JSON, v VARCHAR(9)), of two rows each:
//
//	UPDATE x SET j=JSON_REMOVE(JSON_SET(JSON_REPLACE(j,'$.a',CAST(1.50 AS DECIMAL(5,2))),'$."c d".new',JSON_ARRAY(70000),'$.b[5]','end'),'$.b[0]'), v='x'
//
// The statement before it has already set '$.a' and '$."c d".new', so the differences are INSERT $.b[5] and REMOVE $.b[0].
const (
	recordedMap  = "6d0000000000010003737263000178000303f50f03042400060101000203fcff00"
	recordedFull = "6d00000000001100020003ffff04010000005f0000000003005e00190001001a0001001b0003000f1e00022700003d006162632064f6070b028000000132030016000c0d000401000c1200047a65726f0374776f02002100120001001300030004000002" +
		"1600656e657701000b000707007011010001010001000000160000000106242e625b355d050c03656e640206242e625b305d01780402000000800000000004007f00200001002100010022000300250003000f2800023100003d000c5600616263206470" +
		"6164f6070b02800000013201000c000c0700047a65726f010019000b000300020e006e657701000b000707007011010028303132333435363738393031323334353637383930313233343536373839303132333435363738390101000200000016000000" +
		"0106242e625b355d050c03656e640206242e625b305d0178"
	recordedMinimal = "6d0000000000110002000301060001000000010100160000000106242e625b355d050c03656e640206242e625b305d01780002000000010100160000000106242e625b355d050c03656e640206242e625b305d0178"
)

// recorded reads an event of the table above.
func recorded(t testing.TB, event string) (*Layout, []change.Row, error) {
	t.Helper()
	_, m, err := ParseTableMap(unhex(t, recordedMap))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := diffRowsOf(m, unhex(t, event))
	return layoutOfDiffs(t, m), rows, err
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// diffRowsOf reads the rows of a PARTIAL_UPDATE_ROWS event.
func diffRowsOf(m *change.TableMap, body []byte) ([]change.Row, error) {
	e, err := ParseRowsHeader(partialUpdateRows, body)
	if err != nil {
		return nil, err
	}
	h, err := e.Header(m)
	if err != nil {
		return nil, err
	}
	if Empty(h) {
		return nil, errors.New("images without columns")
	}
	return SplitDiffs(h, e.Data, nil)
}

// layoutOfDiffs binds the recorded table.
func layoutOfDiffs(t testing.TB, m *change.TableMap) *Layout {
	t.Helper()
	_, def := tableOf(intColumn("id"), wireColumn{column: schema.Column{Name: "j", DataType: "json"}},
		wireColumn{column: schema.Column{Name: "v", DataType: "varchar", MaxBytes: 36, Charset: "utf8mb4", CollationID: utf8mb4AICI}})
	def.Identity = &schema.Key{Name: "PRIMARY", NotNull: true, Weighed: true, Parts: []schema.KeyPart{{Column: 0}}}
	l, err := Bind(m, def)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRecordedDiffsToShownDocuments(t *testing.T) {
	l, rows, err := recorded(t, recordedFull)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || !rows[0].Full {
		t.Fatalf("%d rows, full %v", len(rows), rows[0].Full)
	}
	for i, want := range []string{
		`(1,JSON_OBJECT('a',CAST(1.50 AS DECIMAL(11,2)),'b',JSON_ARRAY(CAST('true' AS JSON),'two','end'),'c d',JSON_OBJECT('e',CAST('null' AS JSON),'new',JSON_ARRAY(CAST(70000 AS SIGNED)))),'x')`,
		`(2,JSON_OBJECT('a',CAST(1.50 AS DECIMAL(11,2)),'b',JSON_ARRAY('end'),'c d',JSON_OBJECT('new',JSON_ARRAY(CAST(70000 AS SIGNED))),'pad','0123456789012345678901234567890123456789'),'x')`,
	} {
		got, err := l.AppendTuple(nil, rows[i].After)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("row %d:\n%s", i+1, diff)
		}
		if _, _, some, err := l.AppendDiffsDone(nil, &rows[i]); some || err != nil {
			t.Errorf("row %d still has differences (%v)", i+1, err)
		}
	}
}

func TestRecordedDiffsToDocumentsUnseen(t *testing.T) {
	l, rows, err := recorded(t, recordedMinimal)
	if err != nil {
		t.Fatal(err)
	}
	got, changed, err := l.AppendPartialSet(nil, &rows[1])
	if err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	want := "`j`=IF(JSON_TYPE(JSON_EXTRACT(`j`,'$.b'))='ARRAY',JSON_ARRAY_INSERT(`j`,'$.b[5]',CAST('\"end\"' AS JSON)),CAST('null' AS JSON))," +
		"`j`=IF(JSON_TYPE(JSON_EXTRACT(`j`,'$.b'))='ARRAY' AND JSON_CONTAINS_PATH(`j`,'one','$.b[0]'),JSON_REMOVE(`j`,'$.b[0]'),CAST('null' AS JSON)),`v`='x'"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	got, _, some, err := l.AppendDiffsDone(nil, &rows[1])
	if err != nil || !some {
		t.Fatalf("some %v, %v", some, err)
	}
	if diff := cmp.Diff("`id`=`id` WHERE `id`=2 AND JSON_TYPE(`j`) IN ('OBJECT','ARRAY')", string(got)); diff != "" {
		t.Error(diff)
	}
	if _, err := l.AppendPartialTuple(nil, rows[1].After, rows[1].PresentAfter); err == nil {
		t.Error("differences are written as a document")
	}
}

// diffOf writes one difference.
func diffOf(op byte, path string, value ...byte) []byte {
	b := append(appendPacked([]byte{op}, len(path)), path...)
	if op != jsonRemove {
		b = append(appendPacked(b, len(value)), value...)
	}
	return b
}

// Documents for differences.
var (
	emptyObject = []byte{jsonSmallObject, 0, 0, 4, 0}
	emptyArray  = []byte{jsonSmallArray, 0, 0, 4, 0}
	one         = []byte{jsonInt16, 1, 0}
	minusOne    = []byte{jsonInt16, 0xff, 0xff}
	big         = []byte{jsonInt32, 0, 0, 1, 0}
	truth       = []byte{jsonLiteral, 1}
)

// jsonText is a string as a document.
func jsonText(s string) []byte {
	b := []byte{jsonString}
	n := len(s)
	for ; n > 0x7f; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), s...)
}

func TestPatches(t *testing.T) {
	for name, tc := range map[string]struct {
		diffs [][]byte // To the empty object.
		want  string   // "" where one of them does not fit.
	}{
		"members are put in the server's order": {[][]byte{diffOf(1, "$.bb", one...), diffOf(1, "$.a", truth...), diffOf(1, "$.b", big...), diffOf(1, `$.""`, minusOne...)},
			"JSON_OBJECT('',CAST(-1 AS SIGNED),'a',CAST('true' AS JSON),'b',CAST(65536 AS SIGNED),'bb',CAST(1 AS SIGNED))"},
		"elements before, between and behind others": {[][]byte{diffOf(1, "$.a", emptyArray...), diffOf(1, "$.a[0]", one...), diffOf(1, "$.a[0]", truth...), diffOf(1, "$.a[9]", big...), diffOf(1, "$.a[last]", minusOne...)},
			"JSON_OBJECT('a',JSON_ARRAY(CAST('true' AS JSON),CAST(1 AS SIGNED),CAST(-1 AS SIGNED),CAST(65536 AS SIGNED)))"},
		"replace and remove what was put in": {[][]byte{diffOf(1, "$.a", emptyArray...), diffOf(1, "$.a[0]", one...), diffOf(1, "$.a[1]", one...), diffOf(0, "$.a[last-1]", truth...), diffOf(2, "$.a[1]")},
			"JSON_OBJECT('a',JSON_ARRAY(CAST('true' AS JSON)))"},
		"into a value that replaced another": {[][]byte{diffOf(1, "$.a", one...), diffOf(0, "$.a", emptyObject...), diffOf(1, `$.a."x\"y\\\u0001"`, one...)},
			"JSON_OBJECT('a',JSON_OBJECT('x\\\"y\\\\\x01',CAST(1 AS SIGNED)))"},
		"no such member":             {[][]byte{diffOf(0, "$.a", one...)}, ""},
		"a member that is there":     {[][]byte{diffOf(1, "$.a", one...), diffOf(1, "$.a", one...)}, ""},
		"no such element":            {[][]byte{diffOf(1, "$.a", emptyArray...), diffOf(2, "$.a[0]")}, ""},
		"no such element at the end": {[][]byte{diffOf(1, "$.a", emptyArray...), diffOf(2, "$.a[last]")}, ""},
		"a cell of an object":        {[][]byte{diffOf(1, "$[0]", one...)}, ""},
		"a member of an array":       {[][]byte{diffOf(1, "$.a", emptyArray...), diffOf(1, "$.a.b", one...)}, ""},
		"a cell of a scalar":         {[][]byte{diffOf(1, "$.a", one...), diffOf(0, "$.a[0]", one...)}, ""},
		"a way that is not there":    {[][]byte{diffOf(1, "$.a.b", one...)}, ""},
		"the root":                   {[][]byte{diffOf(0, "$", one...)}, ""},
		"an unknown operation":       {[][]byte{diffOf(3, "$.a", one...)}, ""},
		"a value of no bytes":        {[][]byte{diffOf(1, "$.a")}, ""},
		"a value that is cut off":    {[][]byte{diffOf(1, "$.a", jsonInt16, 1)}, ""},
		"a wildcard":                 {[][]byte{diffOf(1, "$.a", one...), diffOf(2, "$.*")}, ""},
		"a range":                    {[][]byte{diffOf(1, "$.a", emptyArray...), diffOf(1, "$.a[0]", one...), diffOf(2, "$.a[0 to 1]")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := patched(emptyObject, bytes.Join(tc.diffs, nil))
			if tc.want == "" {
				if err == nil {
					t.Fatalf("no error, but %x", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, typed(t, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// patched is the document that differences make.
func patched(doc, diffs []byte) ([]byte, error) {
	e, err := patchJSON(doc, diffs)
	if err != nil {
		return nil, err
	}
	out := e.append([]byte{e.typ})
	if len(out) != 1+e.size {
		return nil, errors.New("not as long as it was measured")
	}
	return out, nil
}

// TestPatchedDocumentsGrowAndShrink takes a document over the bound of the small form, where offsets and small values
// change their width, and back.
func TestPatchedDocumentsGrowAndShrink(t *testing.T) {
	doc := emptyObject
	long := jsonText(strings.Repeat("x", 66000))
	value := append([]byte{jsonInsert, 3}, "$.s"...) // Its length takes three bytes.
	value = append(append(value, 253, byte(len(long)), byte(len(long)>>8), byte(len(long)>>16)), long...)
	steps := []struct {
		diffs []byte
		typ   byte
	}{
		{diffOf(1, "$.m", minusOne...), jsonSmallObject}, {diffOf(1, "$.n", big...), jsonSmallObject}, {value, jsonLargeObject},
		{diffOf(1, "$.o", truth...), jsonLargeObject}, {diffOf(2, "$.s"), jsonSmallObject},
	}
	for i, s := range steps {
		var err error
		if doc, err = patched(doc, s.diffs); err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
		if doc[0] != s.typ {
			t.Errorf("step %d: type %d, want %d", i+1, doc[0], s.typ)
		}
	}
	want := "JSON_OBJECT('m',CAST(-1 AS SIGNED),'n',CAST(65536 AS SIGNED),'o',CAST('true' AS JSON))"
	if diff := cmp.Diff(want, typed(t, doc)); diff != "" {
		t.Error(diff)
	}
}

func TestJSONPaths(t *testing.T) {
	for path, want := range map[string][]jsonLeg{
		"$.a":                   {{key: []byte("a")}},
		"$.$x_1.żółć":           {{key: []byte("$x_1")}, {key: []byte("żółć")}},
		`$[0]."a.b[1]"[last]`:   {{cell: true}, {key: []byte("a.b[1]")}, {cell: true, fromEnd: true}},
		`$."\"\\\n\u0001"[7]`:   {{key: []byte("\"\\\n\x01")}, {cell: true, index: 7}},
		"$[last-3][4294967295]": {{cell: true, fromEnd: true, index: 3}, {cell: true, index: 1<<32 - 1}},
		`$.""`:                  {{key: []byte{}}},
	} {
		got, last, err := parseJSONPath([]byte(path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(jsonLeg{})); diff != "" {
			t.Errorf("%s:\n%s", path, diff)
		}
		if again, _, err := parseJSONPath([]byte("$" + path[last:])); err != nil || len(again) != 1 {
			t.Errorf("%s: its last leg is said to be %q", path, path[last:])
		}
	}
	for _, path := range []string{"", "$", "a", ".a", "$a", "$.", "$[", "$[]", "$[x]", "$[-1]", "$[4294967296]", "$[last", "$[lastx]", "$[last-]", "$[last-x]", "$[0 to 2]", "$[*]", "$.*", "$**.a", "$. a",
		`$."a`, `$."a\`, `$."\x"`, "$.a b", "$.a\"b", "$.\xff", "$\x00", "$" + strings.Repeat(".a", maxJSONDepth+1)} {
		if legs, _, err := parseJSONPath([]byte(path)); err == nil {
			t.Errorf("%q is read as %d legs", path, len(legs))
		}
	}
}

// TestDamagedDiffs: events that are cut off are refused, and those with a flipped bit are refused or read; never with a
// panic, nor with more than their bytes are worth.
func TestDamagedDiffs(t *testing.T) {
	_, m, err := ParseTableMap(unhex(t, recordedMap))
	if err != nil {
		t.Fatal(err)
	}
	l := layoutOfDiffs(t, m)
	for _, event := range []string{recordedFull, recordedMinimal} {
		body := unhex(t, event)
		whole, err := diffRowsOf(m, body)
		if err != nil || len(whole) != 2 {
			t.Fatalf("%d rows, %v", len(whole), err)
		}
		for n := range body {
			if rows, err := diffRowsOf(m, body[:n]); err == nil && len(rows) > 1 {
				t.Errorf("%d bytes are read as %d rows", n, len(rows))
			}
		}
		refused := 0
		for bit := range 8 * len(body) {
			damaged := bytes.Clone(body)
			damaged[bit/8] ^= 1 << (bit % 8)
			rows, err := diffRowsOf(m, damaged)
			if err != nil {
				refused++
				continue
			}
			writeDiffRows(t, l, rows, len(body))
		}
		if refused < len(body) {
			t.Errorf("of %d flipped bits %d are refused", 8*len(body), refused)
		}
	}
	for what, options := range map[string]byte{"unknown options": 2, "known and unknown ones": 3} {
		body := unhex(t, recordedMinimal)
		body[13+1+4] = options // Behind the header, a null bitmap and the id.
		if _, err := diffRowsOf(m, body); err == nil || !strings.Contains(err.Error(), "value options") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// writeDiffRows writes rows as the applier does; their text may not be much longer than the event of size bytes.
func writeDiffRows(t *testing.T, l *Layout, rows []change.Row, size int) {
	t.Helper()
	for i := range rows {
		r := &rows[i]
		if l.CheckPartial(r.RowsHeader) != nil {
			continue
		}
		set, _, _ := l.AppendPartialSet(nil, r)
		done, _, _, _ := l.AppendDiffsDone(nil, r)
		match, _, _ := l.AppendPartialMatch(nil, r.Before, r.PresentBefore)
		if n := len(set) + len(done) + len(match); n > 400*size+2000 {
			t.Errorf("%d bytes of SQL from %d", n, size)
		}
		if len(r.After) > 3*size+100 {
			t.Errorf("an image of %d bytes from %d", len(r.After), size)
		}
	}
}

// FuzzPartialJSON: any bytes as a PARTIAL_UPDATE_ROWS event are read or refused.
func FuzzPartialJSON(f *testing.F) {
	_, m, err := ParseTableMap(unhex(f, recordedMap))
	if err != nil {
		f.Fatal(err)
	}
	l := layoutOfDiffs(f, m)
	f.Add(unhex(f, recordedFull))
	f.Add(unhex(f, recordedMinimal))
	f.Fuzz(func(t *testing.T, body []byte) {
		if rows, err := diffRowsOf(m, body); err == nil {
			writeDiffRows(t, l, rows, len(body))
		}
	})
}

// FuzzPatchJSON: any differences to any document give a document that can be written, or are refused.
func FuzzPatchJSON(f *testing.F) {
	_, rows, err := recorded(f, recordedFull)
	if err != nil {
		f.Fatal(err)
	}
	doc := rows[0].Before[1+4+4:][:0x5f] // Behind the null bitmap, the id and the length.
	f.Add(doc, append(diffOf(jsonRemove, "$.b[last]"), diffOf(jsonInsert, `$."c d".x`, emptyArray...)...))
	f.Add(emptyArray, append(diffOf(jsonInsert, "$[0]", doc...), diffOf(jsonReplace, "$[0].a", one...)...))
	f.Fuzz(func(t *testing.T, doc, diffs []byte) {
		out, err := patched(doc, diffs)
		if err != nil {
			return
		}
		if len(out) > 3*(len(doc)+len(diffs))+100 {
			t.Errorf("%d bytes from %d and %d", len(out), len(doc), len(diffs))
		}
		appendJSON(nil, out)
	})
}
