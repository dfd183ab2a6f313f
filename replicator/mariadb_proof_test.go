package replicator

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// Of MariaDB the digest holds the second of each statement too: a log in which the same rows came at another time is
// another history. A replica cuts the rows of one statement as it likes.
func TestTimedDigest(t *testing.T) {
	sum := func(events ...*event) string {
		t.Helper()
		d := rowDigest{timed: true}
		for _, ev := range events {
			if err := d.add(ev); err != nil {
				t.Fatal(err)
			}
		}
		return d.sum()
	}
	then := func(second uint32, ev *event) *event {
		ev.timestamp = second
		return ev
	}
	want := sum(then(5, rowsEvent(typeWriteRowsV1, 7, 0, 1, 0, 2)), then(9, rowsEvent(typeWriteRowsV1, 7, 0, 3)))
	if got := sum(then(5, rowsEvent(typeWriteRowsV1, 8, 0, 1)), then(5, rowsEvent(typeWriteRowsV1, 8, 0, 2)), then(9, rowsEvent(typeWriteRowsV1, 9, 0, 3))); got != want {
		t.Error("rows cut into other events give another digest")
	}
	for _, second := range []uint32{0, 5, 8} {
		if got := sum(then(5, rowsEvent(typeWriteRowsV1, 7, 0, 1, 0, 2)), then(second, rowsEvent(typeWriteRowsV1, 7, 0, 3))); got == want {
			t.Errorf("second %d gives the digest of second 9", second)
		}
	}
	if sum() != "" {
		t.Error("no rows give a digest")
	}
}

// A MariaDB source, whoever it says it is, is asked for the last applied transaction, behind the one before it in its
// domain, and what it shows decides.
func TestAdmitHoldsAMariaDBHistoryAgainstTheCheckpoint(t *testing.T) {
	s := source(t, testmysql.MariaDBSourceOptions())
	from := here(t, s, true)
	apart(t, s, "CREATE TABLE shop.a (id INT PRIMARY KEY, v VARCHAR(500))", "INSERT INTO shop.a VALUES (1,1),(2,2)",
		"SET gtid_domain_id=7; UPDATE shop.a SET v=3; SET gtid_domain_id=0", "FLUSH BINARY LOGS",
		"SET GLOBAL log_bin_compress=ON; SET GLOBAL log_bin_compress_min_len=10", "UPDATE shop.a SET v=REPEAT('abc',100)", "SET GLOBAL log_bin_compress=OFF",
		"XA START 'x'; DELETE FROM shop.a WHERE id=2; XA END 'x'; XA PREPARE 'x'", "XA COMMIT 'x'",
		"CREATE TABLE shop.b SELECT * FROM shop.a", "SET gtid_domain_id=7; INSERT INTO shop.a VALUES (9,9); SET gtid_domain_id=0")
	end := here(t, s, true)
	txns, err := collect(t, s, reader(t, s, nil), from)
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "FLUSH BINARY LOGS", "INSERT INTO shop.a VALUES (5,5)")
	r := reader(t, s, nil)
	stranger := change.Source{ServerUUID: "mariadb-other", ServerID: 9}
	shown := 0
	for _, txn := range txns {
		if txn.Evidence.IsZero() {
			if len(txn.Rows) > 0 && txn.Last && txn.Prepared.IsZero() {
				t.Errorf("%s shows nothing", txn.GTID)
			}
			continue
		}
		shown++
		cp := end
		cp.Evidence = txn.Evidence
		if got, err := r.Admit(t.Context(), cp); err != nil || !cmp.Equal(got, cp) {
			t.Errorf("%s: admitted as %+v: %v", txn.GTID, got, err)
		}
		cp.Source = stranger
		if got, err := r.Admit(t.Context(), cp); err != nil || got.Source != end.Source || !got.Pos.IsZero() {
			t.Errorf("%s, of another server: admitted as %+v: %v", txn.GTID, got, err)
		}
		for _, source := range []change.Source{stranger, end.Source} {
			cp.Source, cp.Evidence = source, txn.Evidence
			cp.Evidence.Digest = "00"
			expectFault(t, r, cp, "BS-SOURCE-CHANGED")
			cp.Evidence = txn.Evidence
			cp.Evidence.GTID.Server = 55 // A transaction of the number, by another server.
			expectFault(t, r, cp, "BS-SOURCE-CHANGED")
			cp.Evidence = txn.Evidence
			cp.Evidence.Behind = change.GTID{Domain: txn.GTID.Domain, Server: 55, GNO: max(1, txn.GTID.GNO-1)}
			expectFault(t, r, cp, "BS-SOURCE-CHANGED")
		}
	}
	if shown != 6 {
		t.Errorf("%d transactions show evidence, want 6: %v", shown, describeAll(txns))
	}
	cp := end
	cp.Evidence, cp.Source = change.Evidence{}, stranger
	expectFault(t, r, cp, "BS-SOURCE-CHANGED")
	files, err := LogSizes(t.Context(), session(t, s))
	if err != nil {
		t.Fatal(err)
	}
	purge(t, s, files[len(files)-1].Name)
	cp = end
	cp.Evidence = txns[1].Evidence
	if _, err := r.Admit(t.Context(), cp); err != nil {
		t.Errorf("purged, of the same server: %v", err)
	}
	cp.Source = stranger
	expectFault(t, r, cp, "BS-SOURCE-CHANGED")
}
