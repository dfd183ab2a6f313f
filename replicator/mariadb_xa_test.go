package replicator

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

func (b *builder) mariadbGTID(seq int, flags byte) {
	b.add(typeMariaDBGTID, 0, mariadbGTIDBody(uint64(seq), 0, flags, 0))
}

func (b *builder) mariadbPlain(seq int, values ...uint32) {
	b.mariadbGTID(seq, 0)
	b.tableMap(7, "a")
	b.insert(7, values...)
	b.xid()
}

func (b *builder) mariadbPrepare(seq int, gtrid string, values ...uint32) {
	b.mariadbGTID(seq, gtidPreparedXA)
	b.tableMap(7, "a")
	b.insert(7, values...)
	b.query(xaText("END", gtrid))
	b.add(typeXAPrepare, 0, xaPrepareBody(gtrid, false))
}

func (b *builder) mariadbDecide(seq int, verb, gtrid string) {
	b.mariadbGTID(seq, gtidCompletedXA|gtidStandalone)
	b.query(xaText(verb, gtrid))
}

// begin of the first event behind the format.
const firstEvent = 127

func TestMariaDBXA(t *testing.T) {
	tests := map[string]struct {
		build func(b *builder)
		want  []string
		code  string
	}{
		"committed behind another transaction": {
			build: func(b *builder) {
				b.mariadbPrepare(1, "x", 1, 2)
				b.mariadbPlain(2, 9)
				b.mariadbDecide(3, "COMMIT", "x")
				b.mariadbPlain(4, 8)
			},
			want: []string{fmt.Sprint("1 undecided 1 since ", firstEvent), fmt.Sprint("2 9 undecided 1 since ", firstEvent), "3+1 1 2", "4 8"}},
		"rolled back": {
			build: func(b *builder) { b.mariadbPrepare(1, "x", 1); b.mariadbDecide(2, "ROLLBACK", "x") },
			want:  []string{fmt.Sprint("1 undecided 1 since ", firstEvent), "2+1"}},
		"committed without having been read": {
			build: func(b *builder) { b.mariadbDecide(1, "COMMIT", "x") }, code: "BS-XA-UNKNOWN"},
		"prepared twice under one name": {
			build: func(b *builder) { b.mariadbPrepare(1, "x", 1); b.mariadbPrepare(2, "x", 1) },
			want:  []string{fmt.Sprint("1 undecided 1 since ", firstEvent)}, code: "BS-XA-UNKNOWN"},
		"an end that is none": {
			build: func(b *builder) { b.mariadbGTID(1, gtidPreparedXA); b.xid() }, code: "BS-EVENT-MALFORMED"},
		"a prepare of a plain transaction": {
			build: func(b *builder) { b.mariadbGTID(1, 0); b.add(typeXAPrepare, 0, xaPrepareBody("x", false)) }, code: "BS-XA-UNSUPPORTED"},
		"a number used again": {
			build: func(b *builder) { b.mariadbPrepare(1, "x", 1); b.mariadbPlain(1, 1) },
			want:  []string{fmt.Sprint("1 undecided 1 since ", firstEvent)}, code: "BS-GTID-ORDER"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBuilder(false)
			tc.build(b)
			got, err := readXA(t, b, change.Checkpoint{ByGTID: true}, nil)
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("want (-) got (+):\n%s", d)
			}
			wantFault(t, tc.code, err)
		})
	}
}

// The position of MariaDB has an undecided XA PREPARE in any case, so a restart reads from before it. What lies between
// is on the target and must not come twice, nor stop the stream where a person has skipped it.
func TestMariaDBXAIsReadAgain(t *testing.T) {
	b := newBuilder(false)
	since := b.pos
	b.mariadbPrepare(1, "x", 1)
	b.mariadbPlain(2, 9)
	b.mariadbGTID(3, gtidStandalone)
	b.query("ALTER TABLE a ADD COLUMN c INT")
	b.mariadbGTID(4, 0) // Skipped.
	b.query("INSERT INTO a VALUES (1)")
	b.query("COMMIT")
	b.mariadbPrepare(5, "y", 5)
	b.mariadbDecide(6, "COMMIT", "y")
	b.mariadbPrepare(7, "left", 3) // A person has skipped it: the source has lost it in a crash.
	b.mariadbPrepare(8, "z", 4)
	b.mariadbPlain(9, 7)
	b.mariadbDecide(10, "COMMIT", "x")
	b.mariadbPrepare(11, "left", 6)
	b.mariadbDecide(12, "COMMIT", "z")
	b.mariadbDecide(13, "ROLLBACK", "left")
	from := change.Checkpoint{ByGTID: true, GTIDs: "0-101-8", Undecided: change.Undecided{Count: 2, GTIDs: "0-101-1,0-101-8", Since: change.Position{File: b.file, Pos: since}}}
	got, err := readXA(t, b, from, func(a *assembler) {
		yield := a.yield
		a.yield = func(txn *change.Txn) error {
			if u := txn.Undecided; txn.GTID.GNO == 9 && (u.GTIDs != "0-101-1,0-101-8" || u.Behind != "") || txn.GTID.GNO == 10 && (u.GTIDs != "0-101-8" || u.Behind != "0-101-7") {
				t.Errorf("behind %s: %+v", txn.GTID, u)
			}
			return yield(txn)
		}
	})
	if len(got) != 5 || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	want := []string{fmt.Sprintf("9 7 undecided 2 since %d", since), "10+1 1 undecided 1", "11 undecided 2", "12+8 4 undecided 1", "13+11"}
	for i := range want {
		if len(got[i]) < len(want[i]) || got[i][:len(want[i])] != want[i] {
			t.Errorf("%d: %q, want %q", i, got[i], want[i])
		}
	}
}

// realXA are events that MariaDB 10.11.18 has written, without their headers: of an XA transaction 'x','b',7 with one
// row, and of its XA COMMIT.
var realXA = []struct {
	typ  byte
	body string
}{
	{typeMariaDBGTID, "0800000000000000000000004c070000000101786201ff"},
	{typeQuery, "04000000000000000000001a0000000000010100002054000000000603737464042d002d002d0000584120454e442058273738272c58273632272c37"},
	{typeXAPrepare, "000700000001000000010000007862"},
	{typeMariaDBGTID, "0900000000000000000000008d0700000001017862"},
	{typeQuery, "04000000000000000000001a0000000000010100002054000000000603737464042d002d002d0000584120434f4d4d49542058273738272c58273632272c37"},
}

func TestRealMariaDBXA(t *testing.T) {
	b := newBuilder(true)
	for i, e := range realXA {
		body, err := hex.DecodeString(e.body)
		if err != nil {
			t.Fatal(err)
		}
		b.add(e.typ, 0, body)
		if i == 0 {
			b.tableMap(7, "a")
			b.insert(7, 10)
		}
	}
	got, err := readXA(t, b, change.Checkpoint{ByGTID: true}, nil)
	want := []string{fmt.Sprint("8 undecided 1 since ", firstEvent), "9+8 10"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

// What is passed over ends where its transaction does, so that nothing behind it goes unseen.
func TestNothingBehindAPassedTransactionIsPassed(t *testing.T) {
	for name, passed := range map[string]func(b *builder){
		"rows":     func(b *builder) { b.mariadbPlain(2, 9) },
		"DDL":      func(b *builder) { b.mariadbGTID(2, gtidStandalone); b.query("DROP TABLE a") },
		"COMMIT":   func(b *builder) { b.mariadbGTID(2, 0); b.query("COMMIT") },
		"prepare":  func(b *builder) { b.mariadbPrepare(2, "y", 3) },
		"decision": func(b *builder) { b.mariadbDecide(2, "COMMIT", "y") },
		"cut off by the end of a file": func(b *builder) {
			b.mariadbGTID(2, 0)
			b.tableMap(7, "a")
			b.add(typeStop, 0, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBuilder(false)
			b.mariadbPrepare(1, "x", 1)
			passed(b)
			b.add(typeIncident, 0, le(1, 3))
			from := change.Checkpoint{ByGTID: true, GTIDs: "0-101-2", Undecided: change.Undecided{Count: 1, GTIDs: "0-101-1"}}
			got, err := readXA(t, b, from, nil)
			if len(got) != 0 {
				t.Errorf("%q", got)
			}
			wantFault(t, "BS-INCIDENT", err)
		})
	}
}
