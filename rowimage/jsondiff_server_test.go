package rowimage

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"

	"github.com/google/go-cmp/cmp"
)

// documents draws JSON documents and updates of parts of them.
type documents struct{ *rand.Rand }

func (d documents) one(of ...string) string { return of[d.IntN(len(of))] }

// keys are members' names, also such that a path must quote and such that only the bytes put in order.
var documentKeys = []string{"a", "b", "B", "é", "it's", `q"x`, "", "longer key", "back\\slash", "$", "1", "a.b", "a[0]", "line\nend", "\x01", "zz", "żółć", "😀"}

// path is a path to a member or cell; often one that is not there.
func (d documents) path() string {
	p := "$"
	for n := 1 + d.IntN(3); n > 0; n-- {
		if d.IntN(3) > 0 {
			key := documentKeys[d.IntN(len(documentKeys))]
			if d.IntN(2) == 0 {
				key = documentKeys[d.IntN(3)]
			}
			quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\x01", `\u0001`).Replace(key)
			p += `."` + quoted + `"`
		} else {
			p += d.one("[0]", "[0]", "[1]", "[2]", "[7]", "[last]", "[last-1]")
		}
	}
	return "'" + string(appendEscaped(nil, []byte(p))) + "'"
}

// value is an SQL expression of type JSON, or one of the type of a scalar.
func (d documents) value(depth int) string {
	switch n := d.IntN(8); {
	case n == 0 && depth > 0, n == 1 && depth > 0:
		var members []string
		for range d.IntN(6) {
			members = append(members, d.value(depth-1))
		}
		return "JSON_ARRAY(" + strings.Join(members, ",") + ")"
	case n <= 3 && depth > 0:
		var members []string
		for range d.IntN(6) {
			key := documentKeys[d.IntN(len(documentKeys))]
			members = append(members, "'"+string(appendEscaped(nil, []byte(key)))+"',"+d.value(depth-1))
		}
		return "JSON_OBJECT(" + strings.Join(members, ",") + ")"
	}
	return d.one("1", "0", "-1", "32767", "32768", "-32769", "2147483647", "2147483648", "-9223372036854775808", "18446744073709551615", "CAST(7 AS UNSIGNED)", "CAST(70000 AS UNSIGNED)",
		"1.50", "0.5", "-12345678901234567890.123456789", "CAST(1.5 AS DECIMAL(20,5))", "1e0", "-0e0", "1e-7", "1.7976931348623157e308", "true", "false", "NULL", "CAST('null' AS JSON)",
		"'x'", "''", "'it''s \"quoted\" \\\\ and 😀'", "REPEAT('long ',30)", "REPEAT('é',9000)", "DATE'2024-02-29'", "TIME'-838:59:58.999999'", "TIMESTAMP'2024-02-29 23:59:59.000001'",
		"x'00ff5c27'", "_binary''", "(SELECT JSON_EXTRACT(JSON_ARRAY(g),'$[0]') FROM src.typed WHERE n=1)", "(SELECT JSON_EXTRACT(JSON_ARRAY(k),'$[0]') FROM src.typed WHERE n=1)",
		"CAST('[]' AS JSON)", "CAST('{}' AS JSON)", "'{\"not\": \"a document\"}'")
}

// document is an object or array with something in it, most often.
func (d documents) document() string {
	if d.IntN(20) == 0 {
		return d.one("NULL", "CAST('null' AS JSON)", "CAST('7' AS JSON)", "CAST('\"x\"' AS JSON)", "CAST('{}' AS JSON)", "CAST('[]' AS JSON)")
	}
	var members []string
	for _, key := range documentKeys[:2+d.IntN(5)] {
		members = append(members, "'"+string(appendEscaped(nil, []byte(key)))+"',"+d.value(3))
	}
	if d.IntN(4) == 0 {
		return "JSON_ARRAY('" + strings.Repeat("p", d.IntN(300)) + "',JSON_OBJECT(" + strings.Join(members, ",") + "),1,2,3)"
	}
	return "JSON_OBJECT('pad',REPEAT('p'," + d.one("10", "300", "70000") + ")," + strings.Join(members, ",") + ")"
}

// update is a new value of a column made of its old one, as the server may log in parts.
func (d documents) update(column string) string {
	if d.IntN(30) == 0 {
		return d.document()
	}
	expr := column
	for range 1 + d.IntN(3) {
		switch d.IntN(6) {
		case 0:
			expr = "JSON_REMOVE(" + expr + "," + d.path() + ")"
		case 1, 2:
			expr = "JSON_REPLACE(" + expr + "," + d.path() + "," + d.value(2) + "," + d.path() + "," + d.value(1) + ")"
		default:
			expr = "JSON_SET(" + expr + "," + d.path() + "," + d.value(2) + "," + d.path() + "," + d.value(0) + ")"
		}
	}
	return expr
}

// diffSession is a session of the source that logs JSON documents in parts.
func diffSession(t *testing.T, l *lab, image string) *sql.Conn {
	t.Helper()
	c := sessionWith(t, l, image)
	if _, err := c.ExecContext(t.Context(), "SET SESSION binlog_row_value_options=PARTIAL_JSON, sql_mode=DEFAULT, time_zone='+00:00'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.ExecContext(context.Background(), "SET SESSION binlog_row_value_options=''") })
	return c
}

// typed is a document as an SQL expression that shows all types in it.
func typed(t *testing.T, doc []byte) string {
	t.Helper()
	w := jsonWriter{expression: true, budget: len(doc)}
	out, err := w.root(nil, doc)
	if err != nil {
		t.Fatalf("a document of %d bytes: %v", len(doc), err)
	}
	return string(out)
}

const diffRows = 12

// documentTable makes a table with two JSON columns and a virtual third one in both schemas, and fills the source's.
func documentTable(t *testing.T, l *lab, d documents, name string, key string) *schema.Table {
	t.Helper()
	for _, db := range []string{"src", "dst"} {
		l.exec(t, "CREATE TABLE "+db+"."+name+" (id INT NOT NULL "+key+", j JSON, v JSON AS (JSON_EXTRACT(j,'$.a')) VIRTUAL, n INT, k JSON, c TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP)")
	}
	for id := range diffRows {
		l.exec(t, fmt.Sprintf("INSERT INTO src.%s (id,j,n,k) VALUES (%d,%s,0,%s)", name, id, d.document(), d.document()))
	}
	def, err := schema.NewCatalog(l.session).Table(t.Context(), "dst", name)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// randomUpdates runs updates in parts; one that the server refuses changes nothing.
func randomUpdates(t *testing.T, c *sql.Conn, d documents, name string, n int) {
	t.Helper()
	for range n {
		set := "j=" + d.update("j")
		switch d.IntN(4) {
		case 0:
			set += ",n=n+1"
		case 1:
			set += ",k=" + d.update("k")
		}
		where := fmt.Sprintf("id=%d", d.IntN(diffRows))
		if d.IntN(10) == 0 {
			where = "1=1"
		}
		statement := "UPDATE src." + name + " SET " + set + " WHERE " + where
		if _, err := c.ExecContext(t.Context(), statement); err != nil && !strings.Contains(err.Error(), "1690") {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// TestServerDiffsMakeTheSourcesDocuments: where before-images show the documents, an update in parts must come to the
// document that the next update finds.
func TestServerDiffsMakeTheSourcesDocuments(t *testing.T) {
	l := newLab(t, "FULL")
	l.Exec(t, typedValues...)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := documents{rand.New(rand.NewPCG(seed, 0))}
	documentTable(t, l, d, "t", "PRIMARY KEY")
	c := diffSession(t, l, "FULL")
	from := l.position(t)
	randomUpdates(t, c, d, "t", 800)
	if _, err := c.ExecContext(t.Context(), "UPDATE src.t SET n=-1"); err != nil {
		t.Fatal(err)
	}
	rows := l.changes(t, from)
	last := map[uint64][]cell{}
	layout := layoutOf(t, l, "t", rows[0].Table)
	compared, smaller := 0, 0
	for i := range rows {
		before, err := layout.cells(rows[i].Before, layout.all)
		if err != nil {
			t.Fatal(err)
		}
		after, err := layout.cells(rows[i].After, layout.all)
		if err != nil {
			t.Fatal(err)
		}
		id := littleEndian(before[0].value)
		for column, was := range last[id] {
			if rows[i].Table.Types[column] != typeJSON || column == 2 {
				continue
			}
			if was.null != before[column].null {
				t.Fatalf("row %d, column %d: NULL is %v, found %v", i, column, was.null, before[column].null)
			} else if !was.null {
				if diff := cmp.Diff(typed(t, before[column].value), typed(t, was.value)); diff != "" {
					t.Fatalf("row %d, column %d (-source +ours):\n%.4000s", i, column, diff)
				}
				compared++
				if len(was.value) < len(before[column].value) {
					smaller++ // The server leaves holes where it changes in place.
				}
			}
		}
		last[id] = slices.Clone(after)
	}
	if compared < 800 || smaller == 0 {
		t.Errorf("%d documents compared, %d of them patched in place", compared, smaller)
	}
}

func layoutOf(t *testing.T, l *lab, name string, m *change.TableMap) *Layout {
	t.Helper()
	layout, err := Bind(m, l.table(t, "dst", name))
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// TestServerDiffsOfRowsUnseen: where no image shows the document, the target's own is changed.
func TestServerDiffsOfRowsUnseen(t *testing.T) {
	l := newLab(t, "FULL")
	l.Exec(t, typedValues...)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := documents{rand.New(rand.NewPCG(seed, 0))}
	for _, image := range []string{"MINIMAL", "NOBLOB", "FULL"} {
		for _, key := range []string{"PRIMARY KEY", ""} {
			t.Run(image+" "+key, func(t *testing.T) {
				name := "t" + strings.ToLower(image) + strings.ReplaceAll(key, " ", "")
				from := l.position(t)
				def := documentTable(t, l, d, name, key)
				c := diffSession(t, l, image)
				randomUpdates(t, c, d, name, 150)
				rows := l.changes(t, from)
				if err := l.applyPartial(t, def, rows); err != nil {
					t.Fatal(err)
				}
				layout := layoutOf(t, l, name, rows[0].Table)
				unseen := slices.ContainsFunc(rows, func(r change.Row) bool {
					_, _, some, err := layout.AppendDiffsDone(nil, &r)
					return some && err == nil
				})
				if unseen != (image == "MINIMAL" && key != "") {
					t.Errorf("differences to rows that are not shown: %v", unseen)
				}
				l.sameDocuments(t, name)
			})
		}
	}
}

// sameDocuments compares both schemas' tables by what full row images of them show.
func (l *lab) sameDocuments(t *testing.T, name string) {
	t.Helper()
	content := map[string][]string{}
	for _, db := range []string{"src", "dst"} {
		from := l.position(t)
		l.exec(t, "UPDATE "+db+"."+name+" SET c='2001-01-01',n=-7")
		rows := l.changes(t, from)
		layout := layoutOf(t, l, name, rows[0].Table)
		for i := range rows {
			cells, err := layout.cells(rows[i].Before, layout.all)
			if err != nil {
				t.Fatal(err)
			}
			line := fmt.Sprintf("%d n=%d c=%x/%v", littleEndian(cells[0].value), littleEndian(cells[3].value), cells[5].value, cells[5].null)
			for _, column := range []int{1, 4} {
				if cells[column].null {
					line += " NULL"
				} else {
					line += " " + typed(t, cells[column].value)
				}
			}
			content[db] = append(content[db], line)
		}
		slices.Sort(content[db])
	}
	if len(content["src"]) != diffRows {
		t.Fatalf("%d rows", len(content["src"]))
	}
	if diff := cmp.Diff(content["src"], content["dst"]); diff != "" {
		t.Fatalf("-source +target:\n%.4000s", diff)
	}
}
