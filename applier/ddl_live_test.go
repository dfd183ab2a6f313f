package applier

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

func ddlTxn(n uint64, sql string) *change.Txn {
	t := txnAt(n)
	t.DDL = &change.Statement{SQL: sql, Database: "shop"}
	return t
}

// TestDDLLive runs on one server, a stream per case.
func TestDDLLive(t *testing.T) {
	l := newLive(t)
	for i, c := range []struct {
		name string
		test func(*testing.T, *live)
	}{
		{"rows behind a DDL fit the new definition", ddlBetweenRows},
		{"a refused DDL is tried again once the table has been mended", refusedDDL},
		{"a DDL that ran before the crash is not run again", func(t *testing.T, l *live) { crashedDDL(t, l, true) }},
		{"a DDL that did not run before the crash is run", func(t *testing.T, l *live) { crashedDDL(t, l, false) }},
		{"a RENAME that swaps two tables, before a crash", func(t *testing.T, l *live) { crashedSwap(t, l, true) }},
		{"a RENAME that swaps two tables, not run before a crash", func(t *testing.T, l *live) { crashedSwap(t, l, false) }},
		{"a DDL of another daemon's stream", fencedDDL},
		{"a DDL of tables that are not included moves the position", excludedDDL},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.begin(t, fmt.Sprint("ddl", i))
			c.test(t, l)
		})
	}
}

var ddlConfig = Config{Mode: Split, Sessions: 2}

// wideImage is a row of the table with one INT more.
func wideImage(id string, v, x int32) []byte {
	img := binary.LittleEndian.AppendUint32(image(id, v), uint32(x))
	return img
}

func wideMap(table string) *change.TableMap {
	m := mapOf(table)
	m.Types, m.Meta = append(m.Types, wireLong), append(m.Meta, 0)
	return m
}

func ddlBetweenRows(t *testing.T, l *live) {
	m, wide := mapOf("p"), wideMap("p")
	_, err := l.run(t, ddlConfig,
		txnAt(2, rowsOf(m, change.Insert, 0, image("a", 1))...),
		ddlTxn(3, "ALTER TABLE p ADD COLUMN x INT NOT NULL DEFAULT 7"),
		txnAt(4, rowsOf(wide, change.Insert, 0, wideImage("b", 1, 8))...),
		txnAt(5, rowsOf(wide, change.Update, 0, wideImage("a", 1, 7), wideImage("a", 2, 9))...),
		ddlTxn(6, "ALTER TABLE shop.p DROP COLUMN x"),
		txnAt(7, rowsOf(m, change.Insert, 0, image("c", 1))...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a 0 0 2", "b 0 0 1", "c 0 0 1"}, l.rows(t, "p")); diff != "" {
		t.Error(diff)
	}
	if got := l.position(t); got != "7" {
		t.Errorf("recorded %s", got)
	}
}

// refusedDDL: somebody had added the column on the target by hand, so the source's ALTER was refused and the stream
// halted. The operator dropped the column, as told, and started again. The mended definition differs from the one in
// the intent, which must not be taken for proof that the statement ran: it would have been skipped.
func refusedDDL(t *testing.T, l *live) {
	l.server.Exec(t, "ALTER TABLE shop.p ADD COLUMN x VARCHAR(3)")
	alter := ddlTxn(2, "ALTER TABLE p ADD COLUMN x INT NOT NULL DEFAULT 7")
	_, err := l.run(t, ddlConfig, alter)
	if f := change.FaultOf(err); f == nil || f.Code != "BS-DDL-FAILED" || !change.Halts(err) {
		t.Fatalf("got %v", err)
	}
	l.server.Exec(t, "ALTER TABLE shop.p DROP COLUMN x")
	if _, err := l.run(t, ddlConfig); err != nil { // Starts, and nothing has come from the source yet.
		t.Fatal(err)
	}
	if got := l.position(t); got != "1" {
		t.Fatalf("recorded %s: the statement counts as run", got)
	}
	if _, err := l.run(t, ddlConfig, alter, txnAt(3, rowsOf(wideMap("p"), change.Insert, 0, wideImage("b", 1, 8))...)); err != nil {
		t.Fatal(err)
	}
	if rows := l.server.QueryT(t, "SELECT id, x FROM shop.p"); !cmp.Equal(rows, [][]string{{"b", "8"}}) {
		t.Errorf("%v", rows)
	}
}

// crashBehindIntent leaves the record as a daemon leaves it that is killed between intent and statement.
func crashBehindIntent(t *testing.T, l *live, txn *change.Txn) {
	t.Helper()
	_, err := l.runWith(t, ddlConfig, func(_ chan<- *change.Txn, a *Applier) {
		d, err := schema.ParseDDL(txn.DDL)
		if err != nil {
			t.Error(err)
			return
		}
		conn, err := l.target.Open(t.Context(), sessionOptions())
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		if _, err := a.intend(t.Context(), conn, txn, d, nil); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func crashedDDL(t *testing.T, l *live, ran bool) {
	alter := ddlTxn(2, "ALTER TABLE p ADD COLUMN x INT NOT NULL DEFAULT 7")
	crashBehindIntent(t, l, alter)
	want := "1"
	if ran {
		l.server.Exec(t, "USE shop", alter.DDL.SQL)
		want = "2"
	}
	if _, err := l.run(t, ddlConfig); err != nil {
		t.Fatal(err)
	}
	if got := l.position(t); got != want {
		t.Fatalf("recorded %s, want %s", got, want)
	}
	rest := []*change.Txn{txnAt(3, rowsOf(wideMap("p"), change.Insert, 0, wideImage("b", 1, 8))...)}
	if !ran {
		rest = append([]*change.Txn{alter}, rest...)
	}
	if _, err := l.run(t, ddlConfig, rest...); err != nil {
		t.Fatal(err)
	}
	if got := l.position(t); got != "3" {
		t.Errorf("recorded %s", got)
	}
}

// crashedSwap: t and its like are swapped, and no definition tells whether that happened.
func crashedSwap(t *testing.T, l *live, ran bool) {
	l.server.Exec(t, "DROP TABLE IF EXISTS shop.q", "CREATE TABLE shop.q LIKE shop.p", "INSERT INTO shop.q VALUES ('q',NULL,NULL,1)")
	swap := ddlTxn(2, "RENAME TABLE p TO tmp, q TO p, tmp TO q")
	crashBehindIntent(t, l, swap)
	if ran {
		d, err := schema.ParseDDL(swap.DDL)
		if err != nil {
			t.Fatal(err)
		}
		a := &Applier{cfg: Config{Stream: l.stream}}
		l.server.Exec(t, "USE shop", d.Witnessed(witnessNames(a.witness())))
	}
	if _, err := l.run(t, ddlConfig); err != nil {
		t.Fatal(err)
	}
	if want := map[bool]string{true: "2", false: "1"}[ran]; l.position(t) != want {
		t.Fatalf("recorded %s, want %s", l.position(t), want)
	}
	rest := []*change.Txn{txnAt(3, rowsOf(mapOf("p"), change.Update, 0, image("q", 1), image("q", 2))...)}
	if !ran {
		rest = append([]*change.Txn{swap}, rest...)
	}
	if _, err := l.run(t, ddlConfig, rest...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"q 0 0 2"}, l.rows(t, "p")); diff != "" {
		t.Error(diff)
	}
}

func fencedDDL(t *testing.T, l *live) {
	_, err := l.runWith(t, ddlConfig, func(in chan<- *change.Txn, _ *Applier) {
		l.server.Exec(t, "UPDATE binseal.progress SET owner=REPEAT('f',32) WHERE stream='"+l.stream+"'")
		in <- ddlTxn(2, "ALTER TABLE p ADD COLUMN x INT")
	})
	if f := change.FaultOf(err); f == nil || f.Code != "BS-FENCED" {
		t.Fatalf("got %v", err)
	}
	if rows := l.server.QueryT(t, "SHOW COLUMNS FROM shop.p LIKE 'x'"); len(rows) != 0 {
		t.Error("a daemon without a claim has changed a table (invariant 4)")
	}
}

func excludedDDL(t *testing.T, l *live) {
	filter, err := schema.NewFilter(schema.FilterConfig{Include: []string{"other.*"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := ddlConfig
	cfg.Filter = filter
	if _, err := l.run(t, cfg, ddlTxn(2, "ALTER TABLE shop.p ADD COLUMN x INT")); err != nil {
		t.Fatal(err)
	}
	if rows := l.server.QueryT(t, "SHOW COLUMNS FROM shop.p LIKE 'x'"); len(rows) != 0 || l.position(t) != "2" {
		t.Errorf("columns %v at %s", rows, l.position(t))
	}
}

// TestALongPauseInsideAnOversizedTransaction: the source takes longer for the next part than the target waits for a
// silent session.
func TestALongPauseInsideAnOversizedTransaction(t *testing.T) {
	l := newLive(t)
	l.begin(t, "pause")
	m := mapOf("p")
	first, last := txnAt(2, rowsOf(m, change.Insert, 0, image("a", 1))...), txnAt(3, rowsOf(m, change.Insert, 0, image("b", 1))...)
	first.Last, last.First = false, false
	_, err := l.runWith(t, ddlConfig, func(in chan<- *change.Txn, _ *Applier) {
		in <- first
		time.Sleep(waitTimeout + 2*keepAlive)
		in <- last
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a 0 0 1", "b 0 0 1"}, l.rows(t, "p")); diff != "" {
		t.Error(diff)
	}
}
