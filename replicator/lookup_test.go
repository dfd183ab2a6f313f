package replicator

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// A log is a list of events; each ends where the next begins.
func TestGroupingFindsTheFirstTransaction(t *testing.T) {
	type span struct {
		Start, End uint64
		Whole      bool
	}
	for name, c := range map[string]struct {
		kinds []string // A kind, or the verb of a Query.
		want  span
	}{
		"announced by a GTID, up to the next":         {[]string{"Format_desc", "Previous_gtids", "Gtid", "BEGIN", "Table_map", "Write_rows", "Xid", "Gtid", "Query"}, span{2, 7, true}},
		"the last of the log":                         {[]string{"Gtid", "Query"}, span{0, 2, false}},
		"anonymous, up to the end of the file":        {[]string{"Anonymous_Gtid", "BEGIN", "Write_rows", "COMMIT", "Rotate"}, span{0, 4, true}},
		"tagged and compressed":                       {[]string{"Gtid_tagged", "Transaction_payload", "Gtid"}, span{0, 2, true}},
		"an XA group in which a Query stands":         {[]string{"Gtid", "Query", "Table_map", "Write_rows", "Query", "XA_prepare", "Stop"}, span{0, 6, true}},
		"without GTIDs: XID ends it":                  {[]string{"BEGIN", "Query", "Table_map", "Write_rows", "Xid", "BEGIN"}, span{0, 5, true}},
		"without GTIDs: COMMIT ends it":               {[]string{"BEGIN", "Table_map", "Write_rows", "COMMIT", "BEGIN"}, span{0, 4, true}},
		"without GTIDs: a statement with its context": {[]string{"Intvar", "Query", "BEGIN"}, span{0, 2, true}},
		"MariaDB: a GTID list is no transaction":      {[]string{"Gtid_list", "Binlog_checkpoint", "Gtid", "Query", "Gtid"}, span{2, 4, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var g grouping
			whole := false
			for i, kind := range c.kinds {
				e := loggedEvent{pos: uint64(i), end: uint64(i + 1), kind: kind}
				if kind == "BEGIN" || kind == "COMMIT" {
					e.kind, e.verb = "Query", kind
				}
				if whole = g.add(e); whole {
					break
				}
			}
			if diff := cmp.Diff(c.want, span{g.start, g.end, whole}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An event's header has 32 bits of its end, in a file that may be larger.
func TestEventsBehind4GiBHaveAnEnd(t *testing.T) {
	for _, c := range []struct{ pos, told, want uint64 }{
		{4, 126, 126}, {1<<32 - 50, 30, 1<<32 + 30}, {1<<32 + 30, 80, 1<<32 + 80}, {3<<32 - 1, 99, 3<<32 + 99}, {1<<32 - 50, 0, 0}, {1 << 32, 1<<32 + 80, 1<<32 + 80},
	} {
		if got := endBehind(c.pos, c.told); got != c.want {
			t.Errorf("from %d to %d: %d, want %d", c.pos, c.told, got, c.want)
		}
	}
}

// By SQL the log is cut as the stream cuts it.
func TestTransactionAtOnARealServer(t *testing.T) {
	server := source(t, testmysql.SourceOptions())
	server.Exec(t, "CREATE TABLE shop.t (id INT PRIMARY KEY)")
	begin := here(t, server, false).Pos
	server.Exec(t, "INSERT INTO shop.t VALUES (1),(2)", "FLUSH LOGS", "DELETE FROM shop.t WHERE id=1")
	s := session(t, server)
	first, found, err := TransactionAt(t.Context(), s, begin)
	if err != nil || !found || first.From != begin || first.To.Compare(begin) <= 0 || first.To.File != begin.File || first.Decides {
		t.Fatalf("%+v, %v, %v; want one that begins at %s", first, found, err, begin)
	}
	last, found, err := TransactionAt(t.Context(), s, first.To) // Behind the rotation.
	end := here(t, server, false).Pos
	if err != nil || !found || last.From.File == begin.File || last.To != end || last.Decides {
		t.Errorf("the next: %+v, %v, %v; want the last one, up to %s", last, found, err, end)
	}
	if _, found, err := TransactionAt(t.Context(), s, end); found || err != nil {
		t.Errorf("behind the end: %v, %v", found, err)
	}
	server.Exec(t, "XA START 'x'; INSERT INTO shop.t VALUES (5); XA END 'x'; XA PREPARE 'x'")
	prepared, _, err := TransactionAt(t.Context(), s, end)
	if err != nil || prepared.Decides {
		t.Errorf("XA PREPARE: %+v, %v", prepared, err)
	}
	server.Exec(t, "USE shop", "XA ROLLBACK 'x'")
	outcome, found, err := TransactionAt(t.Context(), s, prepared.To)
	if err != nil || !found || !outcome.Decides {
		t.Errorf("XA ROLLBACK: %+v, %v, %v", outcome, found, err)
	}
	_, _, err = TransactionAt(t.Context(), s, change.Position{File: begin.File, Pos: begin.Pos + 3})
	if f := change.FaultOf(err); f == nil || f.Code != codePosition || f.Where == "" || f.Next == "" {
		t.Errorf("an offset within an event: %v", err)
	}
}
