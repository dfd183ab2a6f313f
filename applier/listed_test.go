package applier

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

func TestFollows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := rapid.Uint32().Draw(r, "a"), rapid.Uint32().Draw(r, "b")
		if rapid.Bool().Draw(r, "next") {
			b = a + 1
		}
		bytes := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
		if got, want := follows(bytes(a), bytes(b)), b == a+1 && b != 0; got != want {
			r.Fatalf("%x and %x: %v", a, b, got)
		}
	})
	for a, b := range map[string]string{"\x00": "\x01", "\x7f": "\x80", "\xfe": "\xff"} {
		if !follows(a, b) || follows(b, a) || follows(a, a) {
			t.Errorf("%x and %x", a, b)
		}
	}
	if follows("\xff", "\x00") {
		t.Error("the largest and the smallest")
	}
}

// Rows that come to have the same values, and rows whose numbers follow each other, are written without naming each.
func TestRowsThatAreAlike(t *testing.T) {
	lowered(t)
	rangeFrom = 3
	def, m := wideTable(60_000)
	update := func(id int32, size int) []change.Row {
		return rowsOf(m, change.Update, 0, wideRow(id, 9), wideRow(id, size))
	}
	var rows []change.Row
	for _, id := range []int32{-2, -1, 0, 1, 4, 6, 255, 256, 257, 300} {
		rows = append(rows, update(id, 2)...)
	}
	rows = slices.Concat(rows, update(2, 3), update(3, 4), update(7, 1), update(8, 1))
	for _, id := range []int32{100, 102, 103, 104, 105, 107} {
		rows = append(rows, rowsOf(m, change.Delete, 0, wideRow(id, 1))...)
	}
	const del, upd = "DELETE /*+ INDEX(`wide` `PRIMARY`) */ FROM `shop`.`wide` WHERE `id`", "UPDATE /*+ INDEX(`wide` `PRIMARY`) */ `shop`.`wide` SET `b`=_binary'%s' WHERE `id`"
	want := []string{
		del + " BETWEEN 102 AND 105 LIMIT 4", del + " IN (100,107)",
		fmt.Sprintf(upd, "xx") + " BETWEEN -2 AND 1 LIMIT 4", fmt.Sprintf(upd, "xx") + " BETWEEN 255 AND 257 LIMIT 3", fmt.Sprintf(upd, "xx") + " IN (4,6,300)",
		fmt.Sprintf(upd, "x") + " IN (7,8)",
		"UPDATE (VALUES ROW(2,_binary'xxx'),ROW(3,_binary'xxxx')) AS n (k0,v0) STRAIGHT_JOIN `shop`.`wide` FORCE INDEX (`PRIMARY`) ON `wide`.`id`=n.k0 SET `wide`.`b`=n.v0",
	}
	w, r := newRecorder(1 << 26)
	w.joins = true
	if err := w.run(stepsFor(t, def, m, rows)); err != nil {
		t.Fatal(err)
	}
	r.sent(t, want, []int64{4, 2, 4, 3, 3, 2, 2})
	def.Partitioned = true
	w, r = newRecorder(1 << 26)
	w.joins = true
	if err := w.run(stepsFor(t, def, m, rows)); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(r.statements(), ";"); strings.Contains(all, "BETWEEN") {
		t.Errorf("a range in a partitioned table: %s", all)
	}
}

// Of values that differ from row to row only a part is looked at.
func TestValuesThatDifferAreNotComparedForLong(t *testing.T) {
	m := modelMap()
	var rows []change.Row
	for i := range int32(3 * alikeTrial) {
		id := fmt.Sprintf("%05d", i)
		v := i + 10
		if i >= alikeTrial { // Alike, but too late.
			v = 7
		}
		rows = append(rows, rowsOf(m, change.Update, 0, modelRow{id: id, v: 1}.image(), modelRow{id: id, v: v}.image())...)
	}
	w, r := newRecorder(1 << 26)
	w.joins = true
	if err := w.run(stepsFor(t, modelTable(0), m, rows)); err != nil {
		t.Fatal(err)
	}
	if s := r.statements(); len(s) != 1 || !strings.Contains(s[0], "JOIN") {
		t.Errorf("%d statements", len(s))
	}
}

// The server's side of listed: the statements lock the rows that they name, and no neighbour; a session that holds those does
// not stop them, nor they it. Also in a table that is found by a secondary key, at the table's end, and with rows deleted beside.
func TestServerRangesLockTheirRowsOnly(t *testing.T) {
	l := newLive(t)
	const numbers = "WITH RECURSIVE s AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM s WHERE i<200) "
	l.server.Exec(t, "SET SESSION sql_mode=''",
		"CREATE TABLE shop.n (id INT PRIMARY KEY, v INT, KEY v (v))", "INSERT INTO shop.n "+numbers+"SELECT i, i FROM s",
		"CREATE TABLE shop.o (id INT NOT NULL, v INT, p INT PRIMARY KEY, UNIQUE KEY id (id))", "INSERT INTO shop.o "+numbers+"SELECT i, i, 1000-i FROM s",
		"CREATE TABLE shop.q (id INT PRIMARY KEY, v INT) PARTITION BY HASH(id) PARTITIONS 4", "INSERT INTO shop.q "+numbers+"SELECT i, i FROM s")
	session := func() func(string) ([]int64, error) {
		s, err := l.target.Open(t.Context(), mysqlconn.SessionOptions{Init: mysqlconn.TargetInit(time.Minute, time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return func(sql string) ([]int64, error) { return s.Exec(t.Context(), sql) }
	}
	a, b := session(), session()
	for _, c := range []struct{ table, key, where string }{
		{"n", "PRIMARY", "BETWEEN 50 AND 99 LIMIT 50"}, {"n", "PRIMARY", "IN (50,51,52,60,99)"},
		{"o", "id", "BETWEEN 50 AND 99 LIMIT 50"}, {"o", "id", "IN (50,51,52,60,99)"}, {"q", "PRIMARY", "IN (50,51,52,60,99)"},
	} {
		for _, verb := range []string{"UPDATE /*+ INDEX(`%s` `%s`) */ shop.%s SET v=-7 WHERE id %s", "DELETE /*+ INDEX(`%s` `%s`) */ FROM shop.%s WHERE id %s"} {
			statement := fmt.Sprintf(verb, c.table, c.key, c.table, c.where)
			for _, neighbours := range []string{"UPDATE shop.%[1]s SET v=-1 WHERE id=49; UPDATE shop.%[1]s SET v=-1 WHERE id=100", "DELETE FROM shop.%[1]s WHERE id=49; DELETE FROM shop.%[1]s WHERE id=100"} {
				mustExec := func(who string, exec func(string) ([]int64, error), sql string) []int64 {
					t.Helper()
					n, err := exec(sql)
					if err != nil {
						t.Fatalf("%s, %s: %s: %v", statement, who, sql, err)
					}
					return n
				}
				mustExec("the neighbour's", b, "START TRANSACTION; "+fmt.Sprintf(neighbours, c.table))
				mustExec("ours", a, "START TRANSACTION")
				if n := mustExec("ours", a, statement); n[0] != 50 && n[0] != 5 {
					t.Errorf("%s: %d rows", statement, n[0])
				}
				mustExec("the neighbour's", b, fmt.Sprintf("UPDATE shop.%[1]s SET v=-2 WHERE id IN (48,101)", c.table))
				mustExec("ours", a, "ROLLBACK")
				mustExec("the neighbour's", b, "ROLLBACK")
			}
		}
	}
}
