package applier

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
)

// An epoch that was compacted between two changes is written as if it had not been, from memory of its own.
func TestACompactedEpochIsTheSame(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScene(r, t)
		n := rapid.IntRange(0, len(s.rows)).Draw(r, "rows before")
		first := slices.Clone(s.rows[:n])
		for i := range first {
			first[i].Before, first[i].After = bytes.Clone(first[i].Before), bytes.Clone(first[i].After)
		}
		e := s.merge(r, t, first)
		e.compact()
		for _, c := range first { // What is left behind is given up.
			overwrite(c.Before)
			overwrite(c.After)
		}
		held := 0
		for _, tc := range e.tables {
			for _, c := range tc.entries {
				held += len(c.before) + len(c.after)
				if !same(c.last, c.before) && !same(c.last, c.after) {
					held += len(c.last)
				}
			}
		}
		if e.bytes != held {
			r.Fatalf("%d bytes, but it holds %d", e.bytes, held)
		}
		if err := s.applier.merge(e, txnAt(11, s.rows[n:]...)); err != nil {
			r.Fatal(err)
		}
		if err := s.target.doAll(r, actsOf(mustPlan(r, e, 0).leader)); err != nil {
			r.Fatal(err)
		}
		s.compare(r)
	})
}

func overwrite(img []byte) {
	for i := range img {
		img[i] = 0xff
	}
}

// Ordered rows are as they were.
func TestCompactKeepsOrderedRows(t *testing.T) {
	rows := rowsOf(familyMap, change.Update, 0, image("a", 1), image("a", 2))
	e := newEpoch()
	e.ordered = append(e.ordered, orderedRow{Row: rows[0]})
	e.compact()
	got := e.ordered[0].Row
	if !bytes.Equal(got.Before, image("a", 1)) || !bytes.Equal(got.After, image("a", 2)) || same(got.Before, rows[0].Before) || e.bytes != rows[0].Size() {
		t.Errorf("%+v, %d bytes", got, e.bytes)
	}
}

// Large rows that stay beside small ones that merge: the estimate is too low, and copies must not follow each other.
func TestNoMoreIsCopiedThanIsRead(t *testing.T) {
	e := newEpoch()
	e.changes, e.rows, e.taken, e.bytes = 1_000_000, 1_000, compactAt, compactAt
	e.ordered = []orderedRow{{Row: change.Row{After: make([]byte, compactAt-1000)}}}
	read, copied := 0, 0
	for range 100_000 {
		if e.makeRoom(); e.bytes == e.kept {
			copied += e.kept
		}
		e.bytes, e.taken, read = e.bytes+200, e.taken+200, read+200
	}
	if copied > 2*compactAt {
		t.Errorf("%d bytes are copied while %d are read", copied, read)
	}
}

// A backlog of changes of the same rows is few epochs; but none without end, or nothing would ever be committed.
func TestChangesThatMergeDoNotFillAnEpoch(t *testing.T) {
	again := func(n uint64) *change.Txn {
		txn := txnAt(n, rowsOf(plainMap, change.Update, 0, modelRow{id: "a", u: 1, v: 1}.image(), modelRow{id: "a", u: 1, v: 1}.image())...)
		txn.Bytes = compactAt / 2
		return txn
	}
	collect(t, func(c *collector) {
		c.start()
		taken := uint64(0)
		for c.offers(again(taken + 1)) {
			taken++
		}
		if want := uint64(maxEpochTaken / (compactAt / 2)); taken < want || taken > want+1 {
			t.Errorf("%d transactions are taken, want %d", taken, want)
		}
		c.wantEpoch(int(taken), taken)
		c.give(again(taken + 1))
	})
}
