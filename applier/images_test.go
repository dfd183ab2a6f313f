package applier

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
)

// lent are copies of rows of which each image stands in memory of its own.
func lent(rows []change.Row) []change.Row {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].Before, rows[i].After = bytes.Clone(rows[i].Before), bytes.Clone(rows[i].After)
	}
	return rows
}

// spoil writes over what was given back.
func spoil(rows []change.Row) {
	for _, r := range rows {
		for _, img := range [][]byte{r.Before, r.After} {
			if len(img) <= change.LentImage {
				copy(img, bytes.Repeat([]byte{0xff}, len(img)))
			}
		}
	}
	clear(rows)
}

// An epoch is written from memory of its own: what it was given is written over before the next transaction comes.
func TestAnEpochKeepsWhatItNeeds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScene(r, t)
		e := newEpoch()
		for i := range s.rows {
			txn := txnAt(uint64(10+i), lent(s.rows[i:i+1])...)
			if _, err := s.applier.prepare(t.Context(), e, txn); err != nil {
				r.Fatal(err)
			}
			if err := s.applier.merge(e, txn); err != nil {
				r.Fatal(err)
			}
			e.note(txn)
			spoil(txn.Rows)
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
		if e.bytes < held {
			r.Fatalf("%d bytes, but it holds %d", e.bytes, held)
		}
		if err := s.target.doAll(r, actsOf(mustPlan(r, e, 0).leader)); err != nil {
			r.Fatal(err)
		}
		s.compare(r)
	})
}

// Images of one key, small and large, follow each other: the last one is there, and only what has grown takes more memory.
func TestImagesAreWrittenOverEachOther(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var m imageMemory
		size := rapid.OneOf(rapid.IntRange(1, 50), rapid.SampledFrom([]int{change.LentImage, change.LentImage + 1, 3 * change.LentImage}))
		beside := m.keep([]byte("beside"))
		var img, want []byte
		largest, grown := 0, len(beside) // What small images have taken.
		for i := range rapid.IntRange(1, 50).Draw(r, "images") {
			given := bytes.Repeat([]byte{byte(i)}, size.Draw(r, "size"))
			was := img
			if img, want = m.replace(img, given), bytes.Clone(given); !bytes.Equal(img, want) {
				r.Fatal("another image")
			}
			switch {
			case len(want) > change.LentImage:
				largest = 0 // The small one before it is given up.
			case cap(was) > change.LentImage || len(want) > largest:
				largest, grown = len(want), grown+len(want)
			}
			used := grown
			if len(want) > change.LentImage {
				used += len(want)
			} else {
				spoil([]change.Row{{After: given}})
			}
			if m.used != used {
				r.Fatalf("%d bytes are used, want %d", m.used, used)
			}
			if !bytes.Equal(img, want) || !bytes.Equal(beside, []byte("beside")) {
				r.Fatal("an image is written over")
			}
		}
	})
}

// A backlog of changes of the same rows is few epochs; but none without end, or nothing would ever be committed.
func TestChangesThatMergeDoNotFillAnEpoch(t *testing.T) {
	const received = maxEpochBytes / 3
	again := func(n uint64) *change.Txn {
		txn := txnAt(n, rowsOf(plainMap, change.Update, 0, modelRow{id: "a", u: 1, v: 1}.image(), modelRow{id: "a", u: 1, v: 1}.image())...)
		txn.Bytes = received
		return txn
	}
	collect(t, func(c *collector) {
		c.start()
		taken := uint64(0)
		for c.offers(again(taken + 1)) {
			taken++
		}
		if want := uint64(maxEpochTaken/received + 1); taken != want {
			t.Errorf("%d transactions are taken, want %d", taken, want)
		}
		c.wantEpoch(int(taken), taken)
		c.give(again(taken + 1))
	})
}

// A batch is given back when the next one comes, and never while something of it is to be done.
func TestBatchesAreGivenBackWhenTheyAreMerged(t *testing.T) {
	collect(t, func(c *collector) {
		loan := new(change.Loan)
		number := uint64(0)
		of := func(txn *change.Txn) *change.Txn {
			number++
			txn.Loan, txn.Number = loan, number
			return txn
		}
		wantBack := func(want uint64) {
			t.Helper()
			synctest.Wait()
			if got := loan.Back(); got != want {
				t.Fatalf("transactions up to %d are back, want %d", got, want)
			}
		}
		c.start()
		first := []*change.Txn{of(plainTxn(1)), of(plainTxn(2))}
		c.in <- first
		wantBack(0)
		if first[0] != nil || first[1] != nil {
			t.Error("an idle source keeps its last transactions")
		}
		ddl := of(txnAt(3))
		ddl.DDL = &change.Statement{}
		c.in <- []*change.Txn{ddl}
		wantBack(2)
		c.wantEpoch(2, 2)
		it, ok := c.ask().(*ddlItem)
		if !ok || it.txn != ddl {
			t.Fatalf("got %T", it)
		}
		if c.offers(of(plainTxn(4))) {
			t.Fatal("a transaction is taken while a DDL runs")
		}
		wantBack(2)
		close(it.done)
		synctest.Wait()
		c.in <- []*change.Txn{of(plainTxn(4))}
		wantBack(3)
		c.wantEpoch(1, 4)
	})
}

// The end of a large transaction is known when its last part has been given back.
func TestTheLastPartIsGivenBackBeforeItIsExecuted(t *testing.T) {
	collect(t, func(c *collector) {
		c.start()
		first, last := plainTxn(5), plainTxn(6)
		first.Last, last.First = false, false
		c.give(first)
		l, ok := c.ask().(*large)
		if !ok {
			t.Fatal("not a large transaction")
		}
		<-l.parts
		c.give(last)
		p := <-l.parts
		synctest.Wait()
		*last = change.Txn{}
		if p.last == nil || p.last.End.Pos != 6 {
			t.Errorf("the end is %+v", p.last)
		}
		close(p.done)
	})
}

// Rows that keep their order are copied too.
func TestOrderedRowsAreKept(t *testing.T) {
	family := modelTable(0)
	family.Name, family.Cascading = "f", true
	a := newTestApplier(bound(t, family, familyMap))
	before, after := modelRow{id: "a", v: 1}.image(), modelRow{id: "a", v: 2}.image()
	rows := lent(slices.Concat(rowsOf(familyMap, change.Update, 0, before, after), rowsOf(familyMap, change.Delete, 0, after)))
	e, err := mergeRows(t.Context(), a, rows)
	if err != nil {
		t.Fatal(err)
	}
	spoil(rows)
	if len(e.ordered) != 2 || !bytes.Equal(e.ordered[0].Before, before) || !bytes.Equal(e.ordered[0].After, after) || !bytes.Equal(e.ordered[1].Before, after) || e.ordered[1].After != nil {
		t.Errorf("%+v", e.ordered)
	}
	if want := len(before) + 2*len(after) + 2*orderedOverhead; e.bytes != want {
		t.Errorf("%d bytes, want %d", e.bytes, want)
	}
}

// Two large images of one event: the one that stays for the epoch must not keep the other, which the next change replaces.
func TestALargeImageDoesNotKeepALargerOne(t *testing.T) {
	for name, to := range map[string]string{"same key": "a", "key changes": "b"} {
		a := newTestApplier(bound(t, modelTable(0), plainMap))
		of := func(id string, n int) []byte { return append(modelRow{id: id, v: 1}.image(), make([]byte, n)...) }
		event := slices.Concat(of("a", change.LentImage), of(to, 4*change.LentImage))
		n := len(of("a", change.LentImage))
		rows := rowsOf(plainMap, change.Update, 0, event[:n:n], event[n:])
		e, err := mergeRows(t.Context(), a, rows)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range e.tables[0].entries {
			if same(c.before, rows[0].Before) || c.before != nil && !bytes.Equal(c.before, rows[0].Before) {
				t.Errorf("%s: the image before lies in the event", name)
			}
		}
		if e.bytes != len(event) {
			t.Errorf("%s: %d bytes, want %d", name, e.bytes, len(event))
		}
	}
}
