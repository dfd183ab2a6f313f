package rowimage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// Each value that a real source holds comes through a joined update as through one for each row: rows that stand one
// value further are turned into those wanted, and the target's own log has the images wanted.
func TestServerJoinedUpdates(t *testing.T) {
	l := newLab(t, "FULL")
	l.Exec(t, typedValues...)
	joined, united := 0, 0
	for n, c := range slices.Concat(roundTrips, typeTrips, charsetTrips()) {
		t.Run(c.name, func(t *testing.T) {
			name, columns := fmt.Sprintf("j%d", n), ""
			if strings.Contains(c.columns, "INVISIBLE") {
				columns = "(id,a,v,s,z)"
			}
			from := l.position(t)
			statements := []string{"SET NAMES utf8mb4", "SET time_zone='+00:00'", "SET sql_mode='" + c.mode + "'"}
			for _, db := range []string{"src", "dst"} {
				statements = append(statements, fmt.Sprintf("CREATE TABLE %s.%s (id INT PRIMARY KEY, %s) CHARACTER SET utf8mb4", db, name, c.columns))
			}
			for shift := range 2 {
				for i := range c.values {
					statements = append(statements, fmt.Sprintf("INSERT INTO src.%s%s VALUES (%d,%s)", name, columns, i, c.values[(i+1-shift)%len(c.values)]))
				}
				if shift == 0 {
					statements = append(statements, "DELETE FROM src."+name)
				}
			}
			l.Exec(t, append(statements, "SET sql_mode=DEFAULT")...)
			rows := l.changes(t, from)
			rows = slices.DeleteFunc(rows, func(r change.Row) bool { return r.Op != change.Insert })
			if len(rows) != 2*len(c.values) {
				t.Fatalf("%d inserts in the log, want %d", len(rows), 2*len(c.values))
			}
			layout := l.insertAndCompare(t, name, rows[:len(c.values)])
			before, after := rows[:len(c.values)], rows[len(c.values):]
			joined += l.joinedUpdates(t, layout, before, after)
			united += l.unitedUpdates(t, layout, after, before)
		})
	}
	if joined < 200 || united < 150 {
		t.Errorf("only %d and %d rows shared a statement: the test proves little", joined, united)
	}
}

// unitedUpdates is joinedUpdates, of rows to which that has given before, where each row writes all columns that one of them
// changes.
func (l *lab) unitedUpdates(t *testing.T, layout *Layout, before, after []change.Row) (joined int) {
	t.Helper()
	var rows []int
	var columns []byte
	for i := range before {
		ch, err := layout.Changed(nil, before[i].After, after[i].After)
		if err != nil {
			t.Fatal(err)
		}
		there, err := layout.Changed(nil, after[i].After, before[i].After)
		if err != nil {
			t.Fatal(err)
		}
		if ch.Any && ch.Joins && there.Joins {
			rows = append(rows, i)
			if columns == nil {
				columns = make([]byte, len(ch.Columns))
			}
			for n, bits := range ch.Columns {
				columns[n] |= bits
			}
		}
	}
	head, tail := "", ""
	if rows != nil {
		head, tail = layout.JoinedUpdate("", columns)
	}
	var want, got []string
	statement := []byte(head)
	for _, i := range rows {
		ok, err := layout.ValuesJoin(after[i].After, columns)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		if want = append(want, string(after[i].After)); len(want) > 1 {
			statement = append(statement, ',')
		}
		if statement, err = layout.AppendJoined(statement, before[i].After, after[i].After, columns); err != nil {
			t.Fatal(err)
		}
	}
	if len(want) == 0 {
		return 0
	}
	from := l.position(t)
	l.exec(t, string(statement)+tail)
	for _, r := range l.changes(t, from) {
		got = append(got, string(r.After))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-wanted +logged by the target):\n%s", diff)
	}
	return len(want)
}

// joinedUpdates turns rows into others with the same keys, and compares what the target logs. It gives the number of rows
// that shared a statement.
func (l *lab) joinedUpdates(t *testing.T, layout *Layout, before, after []change.Row) (joined int) {
	t.Helper()
	groups := map[string][]int{}
	var want, got []string
	for i := range before {
		ch, err := layout.Changed(nil, before[i].After, after[i].After)
		if err != nil {
			t.Fatal(err)
		}
		if ch.Any && ch.Joins {
			groups[string(ch.Columns)] = append(groups[string(ch.Columns)], i)
			want = append(want, string(after[i].After))
		}
	}
	from := l.position(t)
	for columns, rows := range groups {
		head, tail := layout.JoinedUpdate("", []byte(columns))
		statement := []byte(head)
		for n, i := range rows {
			if n > 0 {
				statement = append(statement, ',')
			}
			var err error
			if statement, err = layout.AppendJoined(statement, before[i].After, after[i].After, []byte(columns)); err != nil {
				t.Fatal(err)
			}
		}
		l.exec(t, string(statement)+tail)
		joined += len(rows)
	}
	if len(want) == 0 {
		return 0
	}
	for _, r := range l.changes(t, from) {
		got = append(got, string(r.After))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-wanted +logged by the target):\n%s", diff)
	}
	return joined
}

// Rows are found by the same index as by an update of one row, whatever the key's type and collation, and a key that
// changes its case only is found and written.
func TestServerJoinedUpdatesFindTheirRows(t *testing.T) {
	l := newLab(t, "FULL")
	cases := map[string]struct {
		columns string
		before  []string
		after   []string
		joins   bool
	}{
		"text, case-insensitive": {"a VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT",
			[]string{"'Ä',1", "'b ',2", "'b',3", "'',4", "'it''s',5"}, []string{"'a',2", "'B ',3", "'b',4", "'',5", "'IT''S',6"}, true},
		"text of another collation than the session's": {"a VARCHAR(20) COLLATE utf8mb4_de_pb_0900_as_cs PRIMARY KEY, v INT",
			[]string{"'Ä',1", "'b',2"}, []string{"'Ä',2", "'b',3"}, true},
		"text with PAD SPACE":    {"a CHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT", []string{"'x',1", "'y',2"}, []string{"'X',2", "'y',3"}, true},
		"text in utf8mb3":        {"a VARCHAR(20) CHARACTER SET utf8mb3 PRIMARY KEY, v INT", []string{"'x',1", "'y',2"}, []string{"'x',2", "'y',3"}, false},
		"binary strings":         {"a BINARY(16) PRIMARY KEY, v INT", []string{"0x00FF00,1", "0x27,2"}, []string{"0x00FF00,2", "0x27,3"}, true},
		"a key of three columns": {"a INT, b VARCHAR(9), c VARBINARY(9), v INT, PRIMARY KEY (b,a,c)", []string{"-1,'x','q',1", "2,'y','r',2"}, []string{"-1,'X','q',2", "2,'y','r',3"}, true},
		"numbers above BIGINT":   {"a BIGINT UNSIGNED PRIMARY KEY, v INT", []string{"18446744073709551615,1", "9223372036854775808,2"}, []string{"18446744073709551615,2", "9223372036854775808,3"}, false},
		"a prefix":               {"a VARCHAR(20) NOT NULL, v INT, PRIMARY KEY (a(3))", []string{"'xyz1',1", "'xyw',2"}, []string{"'xyz1',2", "'xyw',3"}, false},
		"a date":                 {"a DATE PRIMARY KEY, v INT", []string{"'2024-01-01',1", "'2024-01-02',2"}, []string{"'2024-01-01',2", "'2024-01-02',3"}, false},
	}
	n := 0
	for name, c := range cases {
		n++
		t.Run(name, func(t *testing.T) {
			table := fmt.Sprintf("f%d", n)
			from := l.position(t)
			l.Exec(t, "CREATE TABLE src."+table+" ("+c.columns+")", "CREATE TABLE dst."+table+" ("+c.columns+")",
				"INSERT INTO src."+table+" VALUES ("+strings.Join(c.before, "),(")+")", "DELETE FROM src."+table,
				"INSERT INTO src."+table+" VALUES ("+strings.Join(c.after, "),(")+")")
			rows := slices.DeleteFunc(l.changes(t, from), func(r change.Row) bool { return r.Op != change.Insert })
			layout := l.insertAndCompare(t, table, rows[:len(c.before)])
			// The log has them in the order of the INSERT, so row i was row i.
			if joined := l.joinedUpdates(t, layout, rows[:len(c.before)], rows[len(c.before):]); (joined == len(c.before)) != c.joins {
				t.Fatalf("%d of %d rows shared a statement, wanted: %v", joined, len(c.before), c.joins)
			}
			if !c.joins {
				return
			}
			ch, err := layout.Changed(nil, rows[0].After, rows[len(c.before)].After)
			if err != nil {
				t.Fatal(err)
			}
			head, tail := layout.JoinedUpdate("", ch.Columns)
			statement := []byte(head)
			for i := range c.before {
				if i > 0 {
					statement = append(statement, ',')
				}
				if statement, err = layout.AppendJoined(statement, rows[i].After, rows[len(c.before)+i].After, ch.Columns); err != nil {
					t.Fatal(err)
				}
			}
			plan := fmt.Sprint(l.QueryT(t, "EXPLAIN FORMAT=TREE "+string(statement)+tail))
			if !strings.Contains(plan, "Single-row index lookup on "+table) {
				t.Errorf("plan: %s", plan)
			}
		})
	}
}

// A document that changes to one that compares as equal (1 to 1.0) is written when another column changes with it, alone
// and joined; by itself it is not, which is why the applier asks for Beyond.
func TestServerDocumentsThatCompareAsEqual(t *testing.T) {
	l := newLab(t, "FULL")
	const columns = "id INT PRIMARY KEY, v INT, doc JSON"
	from := l.position(t)
	l.Exec(t, "CREATE TABLE src.e ("+columns+")", "CREATE TABLE dst.e ("+columns+")",
		`INSERT INTO src.e VALUES (1,1,'[1]'),(2,1,'{"a":2}'),(3,1,'3'),(4,1,'4'),(5,1,'5')`, "DELETE FROM src.e",
		`INSERT INTO src.e VALUES (1,2,'[1.0]'),(2,3,'{"a":2.0}'),(3,4,'3.0'),(4,1,'4.0'),(5,2,'5')`)
	rows := slices.DeleteFunc(l.changes(t, from), func(r change.Row) bool { return r.Op != change.Insert })
	before, after := rows[:5], rows[5:]
	layout := l.insertAndCompare(t, "e", before)
	for i, beyond := range []bool{true, true, true, false, true} {
		ch, err := layout.Changed(nil, before[i].After, after[i].After)
		if err != nil || !ch.Any || ch.Beyond != beyond {
			t.Errorf("row %d: %+v, %v", i+1, ch, err)
		}
	}
	if n := l.joinedUpdates(t, layout, before[:2], after[:2]); n != 2 {
		t.Errorf("%d rows shared a statement, want 2", n)
	}
	for i := 2; i < 4; i++ {
		set, _, err := layout.AppendSet(nil, before[i].After, after[i].After)
		if err != nil {
			t.Fatal(err)
		}
		l.exec(t, fmt.Sprintf("UPDATE dst.e SET %s WHERE id=%d", set, i+1))
	}
	got := fmt.Sprint(l.QueryT(t, "SELECT v, CAST(doc AS CHAR) FROM dst.e ORDER BY id"))
	if want := `[[2 [1.0]] [3 {"a": 2.0}] [4 3.0] [1 4] [1 5]]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
