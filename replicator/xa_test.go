package replicator

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// xaLine renders what matters of a part: its GTIDs, rows, and what is undecided behind it.
func xaLine(t *change.Txn) string {
	s := fmt.Sprintf("%d", t.GTID.GNO)
	if !t.Prepared.IsZero() {
		s += fmt.Sprintf("+%d", t.Prepared.GNO)
	}
	for _, r := range t.Rows {
		s += fmt.Sprintf(" %d", r.After[1])
	}
	if !t.Whole() {
		s += fmt.Sprintf(" first=%v last=%v", t.First, t.Last)
	}
	if t.Undecided.Count > 0 {
		s += fmt.Sprintf(" undecided %d since %d", t.Undecided.Count, t.Undecided.Since.Pos)
	}
	return s
}

// readXA runs a log through an assembler that goes on at a checkpoint.
func readXA(t *testing.T, b *builder, from change.Checkpoint, edit func(*assembler)) ([]string, error) {
	t.Helper()
	var lines []string
	_, err := readFrom(t, b.packets, from, func(_ *framer, a *assembler) {
		a.yield = func(txn *change.Txn) error { lines = append(lines, xaLine(txn)); return nil }
		if edit != nil {
			edit(a)
		}
	})
	return lines, err
}

func (b *builder) plain(gno int64, values ...uint32) {
	b.gtid(gno)
	b.query("BEGIN")
	b.tableMap(7, "a")
	b.insert(7, values...)
	b.xid()
}

func (b *builder) xaDecide(gno int64, verb, gtrid string) {
	b.gtid(gno)
	b.query(xaText(verb, gtrid))
}

func TestXA(t *testing.T) {
	const begin = 127 // Of the first event behind the format.
	tests := map[string]struct {
		build func(b *builder)
		edit  func(*assembler)
		want  []string
		code  string
	}{
		"committed behind another transaction": {
			build: func(b *builder) {
				b.gtid(1)
				b.xaPrepare("x", false, 1, 2)
				b.plain(2, 9)
				b.xaDecide(3, "COMMIT", "x")
				b.plain(4, 8)
			},
			want: []string{fmt.Sprint("0 undecided 1 since ", begin), fmt.Sprint("2 9 undecided 1 since ", begin), "3+1 1 2", "4 8"}},
		"rolled back": {
			build: func(b *builder) {
				b.gtid(1)
				b.xaPrepare("x", false, 1)
				b.xaDecide(2, "ROLLBACK", "x")
			},
			want: []string{fmt.Sprint("0 undecided 1 since ", begin), "2+1"}},
		"in one phase": {
			build: func(b *builder) { b.gtid(1); b.xaPrepare("x", true, 1) },
			want:  []string{"1 1"}},
		"without GTIDs": {
			edit: func(a *assembler) { a.byPosition = true },
			build: func(b *builder) {
				b.anonymous()
				b.xaPrepare("x", false, 1)
				b.anonymous()
				b.query(xaText("COMMIT", "x"))
			},
			want: []string{fmt.Sprint("0 undecided 1 since ", begin), "0 1"}},
		"two at a time, decided in the other order": {
			build: func(b *builder) {
				b.gtid(1)
				b.xaPrepare("x", false, 1)
				b.gtid(2)
				b.xaPrepare("y", false, 2)
				b.xaDecide(3, "COMMIT", "x")
				b.xaDecide(4, "COMMIT", "y")
			},
			want: []string{fmt.Sprint("0 undecided 1 since ", begin), fmt.Sprint("0 undecided 2 since ", begin), "3+1 1 undecided 1 since 416", "4+2 2"}},
		"a name used again": {
			build: func(b *builder) {
				b.gtid(1)
				b.xaPrepare("x", false, 1)
				b.xaDecide(2, "COMMIT", "x")
				b.gtid(3)
				b.xaPrepare("x", true, 3)
			},
			want: []string{fmt.Sprint("0 undecided 1 since ", begin), "2+1 1", "3 3"}},
		"larger than a part": {
			edit: func(a *assembler) { a.maxPart = 2 * (rowOverhead + 5) },
			build: func(b *builder) {
				b.gtid(1)
				b.xaPrepare("x", false, 1, 2, 3, 4)
				b.xaDecide(2, "COMMIT", "x")
			},
			want: []string{fmt.Sprint("0 undecided 1 since ", begin), "2+1 1 2 3 first=true last=false", "2+1 4 first=false last=true"}},
		"more than may be held": {
			edit:  func(a *assembler) { a.maxHeld = 1000 },
			build: func(b *builder) { b.gtid(1); b.xaPrepare("x", false, make([]uint32, 100)...) },
			code:  "BS-XA-TOO-LARGE"},
		"more than may be held, in two": {
			edit: func(a *assembler) { a.maxHeld = 30 * rowOverhead },
			build: func(b *builder) {
				b.gtid(1)
				b.xaPrepare("x", false, make([]uint32, 20)...)
				b.gtid(2)
				b.xaPrepare("y", true, make([]uint32, 20)...)
			},
			want: []string{fmt.Sprint("0 undecided 1 since ", begin)}, code: "BS-XA-TOO-LARGE"},
		"committed without having been read": {
			build: func(b *builder) { b.xaDecide(1, "COMMIT", "x") }, code: "BS-XA-UNKNOWN"},
		"rolled back without having been read": {
			build: func(b *builder) { b.xaDecide(1, "ROLLBACK", "x") }, want: []string{"1"}},
		"prepared twice under one name": {
			build: func(b *builder) {
				b.gtid(1)
				b.xaPrepare("x", false, 1)
				b.gtid(2)
				b.xaPrepare("x", false, 1)
			},
			want: []string{fmt.Sprint("0 undecided 1 since ", begin)}, code: "BS-XA-UNKNOWN"},
		"an end that is none": {
			build: func(b *builder) { b.gtid(1); b.query(xaText("START", "x")); b.xid() }, code: "BS-EVENT-MALFORMED"},
		"a prepare without a begin": {
			build: func(b *builder) { b.gtid(1); b.query("BEGIN"); b.add(typeXAPrepare, 0, xaPrepareBody("x", false)) },
			code:  "BS-XA-UNSUPPORTED"},
		"a name that is cut off": {
			build: func(b *builder) { b.gtid(1); b.query("XA START X'78',X'") }, code: "BS-EVENT-MALFORMED"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBuilder(false)
			tc.build(b)
			got, err := readXA(t, b, change.Checkpoint{ByGTID: true}, tc.edit)
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("want (-) got (+):\n%s", d)
			}
			wantFault(t, tc.code, err)
		})
	}
}

// A restart between PREPARE and COMMIT must lose nothing and yield nothing twice: by position the log is read again
// from the oldest undecided transaction, by GTID the source sends that one again.
func TestXAIsReadAgain(t *testing.T) {
	b := newBuilder(false)
	since := b.pos
	b.gtid(1)
	b.xaPrepare("x", false, 1)
	b.plain(2, 9)
	b.gtid(3)
	b.query("ALTER TABLE a ADD COLUMN c INT")
	b.gtid(4)
	b.xaPrepare("y", false, 5)
	b.xaDecide(5, "COMMIT", "y")
	at := change.Position{File: b.file, Pos: b.pos}
	b.plain(6, 7)
	b.xaDecide(7, "COMMIT", "x")
	t.Run("by position", func(t *testing.T) {
		got, err := readXA(t, b, change.Checkpoint{Pos: at}, func(a *assembler) { a.maxPart = 1 })
		want := []string{fmt.Sprintf("6 7 first=true last=false undecided 1 since %d", since),
			fmt.Sprintf("6 first=false last=true undecided 1 since %d", since), "7+1 1"}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
	})
	t.Run("by GTID", func(t *testing.T) {
		again := newBuilder(false) // The source leaves out what the checkpoint has.
		again.gtid(1)
		again.xaPrepare("x", false, 1)
		again.plain(6, 7)
		again.xaDecide(7, "COMMIT", "x")
		from := change.Checkpoint{ByGTID: true, Undecided: change.Undecided{Count: 1, GTIDs: testUUID.String() + ":1"}}
		got, err := readXA(t, again, from, nil)
		want := []string{fmt.Sprintf("6 7 undecided 1 since %d", since), "7+1 1"}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
	})
}

// What a person skipped while an XA transaction was undecided comes again with it: a statement that nobody can read, and
// an XA PREPARE, whose changes the person has made or will make by hand.
func TestSkippedIsNotReadAgain(t *testing.T) {
	b := newBuilder(false)
	since := b.pos
	here := func() change.Position { return change.Position{File: b.file, Pos: b.pos} }
	b.gtid(1)
	b.xaPrepare("x", false, 1)
	unread := change.Span{From: here()}
	b.gtid(2)
	b.query("BEGIN")
	b.query("UPDATE a SET id=7")
	b.query("COMMIT")
	unread.To = here()
	b.plain(3, 3)
	prepared := change.Span{From: here()}
	b.gtid(4)
	b.xaPrepare("y", false, 5)
	prepared.To = here()
	b.xaDecide(5, "COMMIT", "y") // Skipped too: an outcome is read again, and finds nothing here.
	at := here()
	b.plain(6, 7)
	kept := change.Span{}
	skipped := []change.Span{unread, prepared}
	from := change.Checkpoint{Pos: at, Undecided: change.Undecided{Count: 1, Skipped: skipped}}
	b.xaDecide(7, "COMMIT", "x")
	got, err := readXA(t, b, from, func(a *assembler) {
		yield := a.yield
		a.yield = func(txn *change.Txn) error {
			if len(txn.Undecided.Skipped) == 2 {
				kept = txn.Undecided.Skipped[0]
			}
			return yield(txn)
		}
	})
	want := []string{fmt.Sprintf("6 7 undecided 1 since %d", since), "7+1 1"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if kept != unread {
		t.Errorf("the record forgets what was skipped: %v", kept)
	}
	_, err = readXA(t, b, change.Checkpoint{Pos: at}, nil)
	wantFault(t, "BS-DML-STATEMENT", err)
}
