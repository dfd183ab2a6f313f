package replicator

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// rowsEvent is a rows event of one column, with a table id and rows of its own.
func rowsEvent(typ byte, table uint64, rows ...byte) *event {
	body := append(le(table, 6), 1, 0)
	if typ >= typeWriteRows {
		body = append(body, 2, 0) // No further fields.
	}
	body = append(body, 1, 1)
	if typ == typeUpdateRows || typ == typeUpdateRowsV1 {
		body = append(body, 1)
	}
	return &event{header: header{typ: typ}, body: append(body, rows...)}
}

// A replica logs the rows again under its own table ids, in events of its own size, and may write an older form.
func TestDigestIsTheSameOnEveryReplica(t *testing.T) {
	sum := func(events ...*event) string {
		t.Helper()
		var d rowDigest
		for _, ev := range events {
			if err := d.add(ev); err != nil {
				t.Fatal(err)
			}
		}
		return d.sum()
	}
	want := sum(rowsEvent(typeWriteRows, 7, 0, 1, 0, 2, 0, 3), rowsEvent(typeUpdateRows, 8, 0, 1, 0, 9))
	if got := sum(rowsEvent(typeWriteRows, 70, 0, 1), rowsEvent(typeWriteRows, 70, 0, 2, 0, 3), rowsEvent(typeUpdateRows, 71, 0, 1, 0, 9)); got != want {
		t.Error("rows cut into other events give another digest")
	}
	if got := sum(rowsEvent(typeWriteRowsV1, 7, 0, 1, 0, 2, 0, 3), rowsEvent(typeUpdateRowsV1, 8, 0, 1, 0, 9)); got != want {
		t.Error("version 1 of the events gives another digest")
	}
	if got := sum(rowsEvent(typeWriteRows, 7, 0, 1, 0, 2, 0, 4), rowsEvent(typeUpdateRows, 8, 0, 1, 0, 9)); got == want {
		t.Error("another row gives the same digest")
	}
	if got := sum(); got != "" {
		t.Errorf("no rows give %q", got)
	}
	d := rowDigest{off: true}
	if err := d.add(rowsEvent(typeWriteRows, 7, 0, 1)); err != nil || d.sum() != "" {
		t.Errorf("%v: a digest that another server cannot give: %q", err, d.sum())
	}
	if err := new(rowDigest).add(&event{body: []byte{1, 2, 3}}); change.FaultOf(err) == nil {
		t.Errorf("an event that is cut off: %v", err)
	}
}

// The source is asked for the last applied transaction, wherever it stands in the log, and what it shows decides.
func TestAdmitHoldsTheHistoryAgainstTheCheckpoint(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	from := here(t, s, true)
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY, v INT)", "INSERT INTO shop.a VALUES (1,1),(2,2)",
		"SET SESSION binlog_transaction_compression=ON; UPDATE shop.a SET v=3; SET SESSION binlog_transaction_compression=OFF",
		"SET GTID_NEXT='AUTOMATIC:blue'; DELETE FROM shop.a WHERE id=1; SET GTID_NEXT='AUTOMATIC'")
	end := here(t, s, true)
	txns, err := collect(t, s, reader(t, s, nil), from)
	if err != nil || len(txns) != 4 {
		t.Fatalf("%d transactions: %v", len(txns), err)
	}
	s.Exec(t, "FLUSH BINARY LOGS", "INSERT INTO shop.a VALUES (5,5)")
	r := reader(t, s, nil)
	stranger := change.Source{ServerUUID: "11111111-2222-3333-4444-555555555555", ServerID: 9}
	for _, txn := range txns {
		if txn.Evidence.GTID != txn.GTID || txn.Evidence.Original.IsZero() {
			t.Fatalf("%s shows %+v", txn.GTID, txn.Evidence)
		}
		cp := end
		cp.Evidence = txn.Evidence
		if got, err := r.Admit(t.Context(), cp); err != nil || !cmp.Equal(got, cp) {
			t.Errorf("%s: admitted as %+v: %v", txn.GTID, got, err)
		}
		cp.Source = stranger
		if got, err := r.Admit(t.Context(), cp); err != nil || got.Source != end.Source || !got.Pos.IsZero() {
			t.Errorf("%s, of another server: admitted as %+v: %v", txn.GTID, got, err)
		}
		cp.Evidence.Original = cp.Evidence.Original.Add(time.Microsecond)
		expectFault(t, r, cp, "BS-SOURCE-CHANGED")
		cp.Source = end.Source
		expectFault(t, r, cp, "BS-SOURCE-CHANGED")
		cp.Evidence = change.Evidence{GTID: txn.GTID, Digest: "00"} // As a source before 8.0.1 leaves it.
		expectFault(t, r, cp, "BS-SOURCE-CHANGED")
		info, err := Identify(t.Context(), session(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if cp.Evidence, err = r.lookUp(t.Context(), info, cp.Evidence); err != nil || (cp.Evidence.Digest == "") != (txn.DDL != nil) {
			t.Fatalf("%s has the digest %q: %v", txn.GTID, cp.Evidence.Digest, err)
		}
		cp.Evidence.Original = time.Time{}
		if _, err := r.Admit(t.Context(), cp); err != nil {
			t.Errorf("%s, by its digest: %v", txn.GTID, err)
		}
	}
	files, err := LogSizes(t.Context(), session(t, s))
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "PURGE BINARY LOGS TO '"+files[len(files)-1].Name+"'")
	end.Evidence = txns[3].Evidence
	if _, err := r.Admit(t.Context(), end); err != nil {
		t.Errorf("purged, of the same server: %v", err)
	}
	end.Source = stranger
	expectFault(t, r, end, "BS-SOURCE-CHANGED")
}

func expectFault(t *testing.T, r *Reader, from change.Checkpoint, code string) {
	t.Helper()
	_, err := r.Admit(t.Context(), from)
	f := change.FaultOf(err)
	if f == nil || f.Code != code || f.Class != change.ClassPerson || f.Where == "" || f.Next == "" {
		t.Errorf("want %s with its place, got %v", code, err)
	}
}
