package applier

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/schema"
)

// collector runs collect inside a synctest bubble; the test plays reader and executor.
type collector struct {
	t    *testing.T
	a    *Applier
	in   chan []*change.Txn
	out  chan item
	beat chan struct{}
	done chan error
	stop context.CancelCauseFunc
}

// collect runs body with a collector, whose applier knows the model table and, as shop.f, a cascading family.
func collect(t *testing.T, body func(c *collector)) {
	synctest.Test(t, func(t *testing.T) {
		family := modelTable(0)
		family.Name, family.Cascading = "f", true
		c := &collector{t: t, a: newTestApplier(bound(t, modelTable(1), plainMap), bound(t, family, familyMap)),
			in: make(chan []*change.Txn), out: make(chan item), beat: make(chan struct{}), done: make(chan error, 1)}
		c.a.cfg.Beat = c.beat
		body(c)
		if len(c.done) == 0 {
			c.end()
		}
		c.stop(nil)
	})
}

// The tables' descriptions by the source.
var (
	plainMap  = modelMap()
	familyMap = &change.TableMap{Schema: "shop", Table: "f", Types: plainMap.Types, Meta: plainMap.Meta, Nullable: plainMap.Nullable}
)

// start begins to collect; what is set in c.a before counts.
func (c *collector) start() {
	ctx, stop := context.WithCancelCause(c.t.Context())
	c.stop = stop
	go func() { c.done <- c.a.collect(ctx, &intake{batches: c.in}, c.out) }()
}

// end closes the reader's side and waits for the collector, taking what it still hands over.
func (c *collector) end() []item {
	if c.in != nil {
		close(c.in)
		c.in = nil
	}
	return c.drain()
}

func (c *collector) drain() []item {
	var rest []item
	for {
		select {
		case it := <-c.out:
			rest = append(rest, it)
		case err := <-c.done:
			c.done <- err
			return rest
		}
	}
}

// offers reports whether the collector takes t without the executor's help.
func (c *collector) offers(t *change.Txn) bool {
	c.t.Helper()
	synctest.Wait()
	select {
	case c.in <- []*change.Txn{t}:
		synctest.Wait()
		return true
	default:
		return false
	}
}

func (c *collector) give(txns ...*change.Txn) {
	c.t.Helper()
	for _, t := range txns {
		if !c.offers(t) {
			c.t.Fatalf("the transaction at %s is not taken", t.Start)
		}
	}
}

// ask is the executor's turn: the next item, or nil when there is none.
func (c *collector) ask() item {
	synctest.Wait()
	select {
	case it := <-c.out:
		if e, ok := it.(*epoch); ok && e.plan == nil {
			close(e.planned) // The executor's first step.
		}
		synctest.Wait()
		return it
	default:
		return nil
	}
}

// epoch asks for an epoch and gives the last bytes of the source positions where it begins and ends.
func (c *collector) epoch() (e *epoch, transactions int, end uint64) {
	c.t.Helper()
	it := c.ask()
	e, ok := it.(*epoch)
	if !ok {
		c.t.Fatalf("got %T, want an epoch", it)
	}
	return e, e.transactions, e.end.Pos
}

// wantEarly wants an epoch to go early, or to wait until the executor asks, and then to be as wantEpoch says.
func (c *collector) wantEarly(early bool, transactions int, end uint64) {
	c.t.Helper()
	select {
	case <-c.a.early:
		if !early {
			c.t.Error("it goes early")
		}
	default:
		if early {
			c.t.Error("it does not go early")
		}
		c.wantEpoch(transactions, end)
	}
}

func (c *collector) wantEpoch(transactions int, end uint64) {
	c.t.Helper()
	_, n, to := c.epoch()
	if n != transactions || to != end {
		c.t.Fatalf("an epoch of %d transactions up to %d, want %d up to %d", n, to, transactions, end)
	}
}

func plainTxn(n uint64) *change.Txn {
	return txnAt(n, rowsOf(plainMap, change.Insert, 0, modelRow{id: string(rune('a' + n%26)), v: int32(n)}.image())...)
}

func familyTxn(n uint64, flags uint16) *change.Txn {
	return txnAt(n, rowsOf(familyMap, change.Insert, flags, modelRow{id: string(rune('a' + n%26)), v: int32(n)}.image())...)
}

// heavy makes the images of a transaction of one insert n bytes long.
func heavy(t *change.Txn, n int) *change.Txn {
	img := t.Rows[0].After
	t.Rows[0].After, t.Bytes = append(img, make([]byte, n-len(img))...), n
	return t
}

func TestBatchesAreAsLargeAsTheTargetIsSlow(t *testing.T) {
	collect(t, func(c *collector) {
		c.start()
		if c.ask() != nil {
			t.Fatal("something to do before anything has arrived")
		}
		c.give(plainTxn(1))
		c.wantEpoch(1, 1) // Caught up: one transaction, at once.
		c.give(plainTxn(2), plainTxn(3), txnAt(4))
		c.wantEpoch(3, 4) // The executor was busy.
		if c.ask() != nil {
			t.Fatal("an epoch is handed over twice")
		}
		c.give(plainTxn(5))
		if rest := c.end(); len(rest) != 1 || rest[0].(*epoch).end.Pos != 5 {
			t.Fatalf("at the end: %v", rest)
		}
	})
}

func TestAFullEpochTakesNoMore(t *testing.T) {
	bounds := map[string]func(*change.Txn){
		"in bytes": func(t *change.Txn) { heavy(t, maxEpochBytes-plainTxn(1).Bytes) },
		"in rows": func(t *change.Txn) {
			row := rowsOf(familyMap, change.Insert, 0, modelRow{id: "a", v: 1}.image())[0]
			t.Rows = slices.Repeat([]change.Row{row}, maxEpochRows) // Ordered: none is merged with another.
		},
	}
	for name, fill := range bounds {
		t.Run(name, func(t *testing.T) {
			collect(t, func(c *collector) {
				c.start()
				full := plainTxn(2)
				fill(full)
				c.give(plainTxn(1), full)
				if c.offers(plainTxn(3)) {
					t.Fatal("a full epoch takes another transaction: memory has no bound (invariant 7)")
				}
				c.wantEpoch(2, 2)
				c.give(plainTxn(3))
			})
		})
	}
}

func TestAFaultComesBehindTheWholeTransactionsBeforeIt(t *testing.T) {
	partial := plainTxn(3)
	h := *partial.Rows[0].RowsHeader
	h.Full, h.Op, h.PresentBefore, h.PresentAfter = false, change.Delete, []byte{0b0010}, nil // Without its key.
	partial.Rows[0].RowsHeader = &h
	collect(t, func(c *collector) {
		c.start()
		c.give(plainTxn(1), plainTxn(2), partial)
		c.wantEpoch(2, 2)
		synctest.Wait()
		err := <-c.done
		c.done <- err
		if f := change.FaultOf(err); f == nil || f.Code != "BS-PARTIAL-IMAGE" || !strings.HasPrefix(f.Where, "binlog.000001:2: shop.t") {
			t.Fatalf("got %v", err)
		}
	})
}

// partialTxn updates v of a row, as a session with binlog_row_image=MINIMAL logs it.
func partialTxn(n uint64, id string, v int32) *change.Txn {
	h := &change.RowsHeader{Table: plainMap, Op: change.Update, PresentBefore: []byte{0b0001}, PresentAfter: []byte{0b1000}}
	before := append([]byte{0, byte(len(id))}, id...)
	return txnAt(n, change.Row{RowsHeader: h, Before: before, After: []byte{0, byte(v), 0, 0, 0}})
}

// A table's class is fixed within an epoch: partial images have nothing to merge with, and whole ones behind them
// must not overtake them.
func TestPartialImagesKeepTheirOrder(t *testing.T) {
	collect(t, func(c *collector) {
		c.start()
		c.give(plainTxn(1), plainTxn(2))
		if !c.offers(partialTxn(3, "d", 9)) {
			t.Fatal("the transaction is not taken")
		}
		c.wantEpoch(2, 2) // Its rows are merged already: the partial one closes the epoch.
		c.give(familyTxn(4, change.FlagSQLForeignKeys), plainTxn(5), partialTxn(6, "d", 8))
		e, n, end := c.epoch()
		if n != 4 || end != 6 || len(e.ordered) != 3 || len(e.tables) != 1 || e.tables[0].table.def.Name != "f" {
			t.Fatalf("%d transactions up to %d, %d ordered rows, %d merged tables", n, end, len(e.ordered), len(e.tables))
		}
		for i, pos := range []uint64{3, 5, 6} {
			if v := e.ordered[i].After; pos == 5 && !e.ordered[i].Full || pos != 5 && (e.ordered[i].Full || len(v) != 5) {
				t.Errorf("row %d is not that of %d", i, pos)
			}
		}
		c.give(plainTxn(7)) // The next epoch merges again.
		if e, _, _ := c.epoch(); len(e.ordered) != 0 || len(e.tables) != 1 {
			t.Errorf("%d ordered rows in an epoch without partial images", len(e.ordered))
		}
	})
}

func TestALargeTransactionTravelsAloneAndInParts(t *testing.T) {
	first, middle, last := plainTxn(2), plainTxn(3), plainTxn(4)
	first.Last, middle.First, middle.Last, last.First = false, false, false, false
	collect(t, func(c *collector) {
		c.start()
		c.give(plainTxn(1), first)
		c.wantEpoch(1, 1) // What came before goes first.
		l := c.ask().(*large)
		for i, next := range []*change.Txn{middle, last, nil} {
			p := <-l.parts
			if p.changes.rows != 1 || (p.last != nil) != (next == nil) {
				t.Fatalf("part %d: %d rows, last %v", i, p.changes.rows, p.last)
			}
			if next != nil {
				c.give(next)
			}
		}
		if _, more := <-l.parts; more {
			t.Fatal("a part behind the last")
		}
		c.give(plainTxn(5))
		c.wantEpoch(1, 5)
	})
}

func TestALargeTransactionWithoutItsEndIsNotCompleted(t *testing.T) {
	first := plainTxn(1)
	first.Last = false
	collect(t, func(c *collector) {
		c.start()
		c.give(first)
		l := c.ask().(*large)
		if p := <-l.parts; p.last != nil {
			t.Fatal("the first part is taken for the last")
		}
		close(c.in) // The reader failed inside the transaction.
		c.in = nil
		if _, more := <-l.parts; more {
			t.Fatal("a part that was never read")
		}
		if rest := c.drain(); len(rest) != 0 {
			t.Fatalf("handed over: %v", rest)
		}
		if err := <-c.done; err != nil {
			t.Fatal(err)
		}
		c.done <- nil
	})
}

func TestTheRecordIsCommittedAloneOnlyWhenThereIsNothingElse(t *testing.T) {
	collect(t, func(c *collector) {
		c.start()
		asks := func() bool {
			synctest.Wait()
			select {
			case c.beat <- struct{}{}:
				return true
			default:
				return false
			}
		}
		if !asks() {
			t.Fatal("an idle collector does not beat")
		}
		if _, ok := c.ask().(beat); !ok {
			t.Fatal("the beat does not arrive")
		}
		c.give(plainTxn(1))
		if asks() {
			t.Fatal("a beat while an epoch waits: its commit carries the record")
		}
		c.wantEpoch(1, 1)
		if !asks() {
			t.Fatal("idle again, and no beat")
		}
		c.ask()
	})
}

func TestATablesClassIsFixedWithinAnEpoch(t *testing.T) {
	collect(t, func(c *collector) {
		c.start()
		const merged = change.FlagSQLForeignKeys
		c.give(familyTxn(1, merged), plainTxn(2), familyTxn(3, merged))
		c.give(familyTxn(4, 0)) // From here on the source leaves cascades to us.
		e, n, _ := c.epoch()
		if n != 3 || len(e.ordered) != 0 {
			t.Fatalf("%d transactions, %d ordered rows", n, len(e.ordered))
		}
		c.give(familyTxn(5, merged), plainTxn(6)) // Ordered stays ordered until the epoch ends.
		e, n, _ = c.epoch()
		if n != 3 || len(e.ordered) != 2 || len(e.tables) != 1 {
			t.Fatalf("%d transactions, %d ordered rows, %d merged tables", n, len(e.ordered), len(e.tables))
		}
		c.give(familyTxn(7, merged))
		if e, _, _ = c.epoch(); len(e.ordered) != 0 {
			t.Fatal("ordered beyond the epoch")
		}
	})
}

func TestOneTransactionAnEpochWhereCareIsNeeded(t *testing.T) {
	collect(t, func(c *collector) {
		c.a.cfg.Careful = Careful{Until: change.Position{File: "binlog.000001", Pos: 2}, Single: true}
		c.start()
		c.give(plainTxn(1))
		if c.offers(plainTxn(2)) {
			t.Fatal("a second transaction joins")
		}
		c.wantEpoch(1, 1)
		c.give(plainTxn(2))
		c.wantEpoch(1, 2)
		c.give(plainTxn(3))
		if c.offers(plainTxn(4)) { // It begins at 2, where the run before ended.
			t.Fatal("a second transaction joins at the end of the careful range")
		}
		c.wantEpoch(1, 3)
		c.give(plainTxn(4), plainTxn(5))
		c.wantEpoch(2, 5)
	})
}

func TestTheCollectorWaitsForADDL(t *testing.T) {
	ddl := txnAt(2)
	ddl.DDL = &change.Statement{SQL: "ALTER TABLE shop.t ADD x INT"}
	collect(t, func(c *collector) {
		c.start()
		c.give(plainTxn(1), ddl)
		c.wantEpoch(1, 1)
		it := c.ask().(*ddlItem)
		if c.offers(plainTxn(3)) {
			t.Fatal("rows behind a DDL are bound to the definition before it")
		}
		close(it.done)
		c.give(plainTxn(3))
		c.wantEpoch(1, 3)
	})
}

func TestTheCollectorEndsWithItsContext(t *testing.T) {
	cause := errors.New("the executor failed")
	ddl, first := txnAt(2), plainTxn(2)
	ddl.DDL, first.Last = &change.Statement{}, false
	for name, before := range map[string][]*change.Txn{
		"idle": nil, "with an epoch to hand over": {plainTxn(1)}, "waiting for a DDL to be taken": {ddl},
		"waiting for a part to be taken": {first}, "with an epoch in front of a DDL": {plainTxn(1), ddl},
	} {
		t.Run(name, func(t *testing.T) {
			collect(t, func(c *collector) {
				c.start()
				c.give(before...)
				c.stop(cause)
				err := <-c.done
				c.done <- err
				if !errors.Is(err, cause) {
					t.Fatalf("got %v", err)
				}
			})
		})
	}
}

func withGTID(t *change.Txn, gno int64) *change.Txn {
	t.GTID = change.GTID{UUID: uuid.UUID{1}, GNO: gno}
	return t
}

const server1 = "01000000-0000-0000-0000-000000000000"

func TestAHalfDoneEpochIsReadUntilItsEnd(t *testing.T) {
	cases := map[string]struct {
		half   checkpoint.End
		byGTID bool
		txns   []*change.Txn
		want   int // Transactions in the recovery.
	}{
		"by position": {checkpoint.End{Pos: change.Position{File: "binlog.000001", Pos: 3}}, false,
			[]*change.Txn{plainTxn(2), plainTxn(3), plainTxn(4)}, 2},
		"by position, when transactions are cut differently": {checkpoint.End{Pos: change.Position{File: "binlog.000001", Pos: 3}}, false,
			[]*change.Txn{plainTxn(2), plainTxn(5)}, 2},
		"by GTID, when another source has them in another order": {checkpoint.End{GTIDs: server1 + ":1-3"}, true,
			[]*change.Txn{withGTID(plainTxn(7), 3), withGTID(plainTxn(8), 4), withGTID(plainTxn(9), 2), withGTID(plainTxn(10), 5)}, 3},
		"by GTID, whatever the positions are": {checkpoint.End{GTIDs: server1 + ":1-2", Pos: change.Position{File: "binlog.000009", Pos: 4}}, true,
			[]*change.Txn{withGTID(plainTxn(7), 2), withGTID(plainTxn(8), 3)}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			collect(t, func(col *collector) {
				col.a.half = &c.half
				col.a.cp.ByGTID = c.byGTID
				col.a.gtids.Add(change.GTID{UUID: uuid.UUID{1}, GNO: 1})
				col.start()
				for i, txn := range c.txns[:c.want] {
					if i > 0 && col.ask() != nil {
						t.Fatalf("something is written before the end is covered, after %d transactions", i)
					}
					col.give(txn)
				}
				e, n, _ := col.epoch()
				if n != c.want || !e.recovery {
					t.Fatalf("%d transactions, recovery %v; want %d", n, e.recovery, c.want)
				}
				col.give(c.txns[c.want:]...)
				if len(c.txns) > c.want {
					if e, _, _ := col.epoch(); e.recovery {
						t.Fatal("the epoch behind the recovery is a recovery too")
					}
				}
				if got := col.a.gtids.String(); got != server1+":1" {
					t.Errorf("the collector has changed the executor's set to %s", got)
				}
			})
		})
	}
}

func TestAHalfDoneEpochThatCannotBeFinishedHalts(t *testing.T) {
	ddl, first, huge := txnAt(3), plainTxn(3), heavy(plainTxn(3), recoverySlack*maxEpochBytes)
	ddl.DDL, first.Last = &change.Statement{}, false
	cases := map[string][]*change.Txn{
		"a DDL inside":                {plainTxn(2), ddl},
		"an oversized transaction":    {plainTxn(2), first},
		"a class that changes inside": {familyTxn(2, change.FlagSQLForeignKeys), familyTxn(3, 0)},
		"an end that does not come":   {plainTxn(2), huge, plainTxn(4)},
	}
	for name, txns := range cases {
		t.Run(name, func(t *testing.T) {
			collect(t, func(c *collector) {
				c.a.half = &checkpoint.End{Pos: change.Position{File: "binlog.000001", Pos: 1000}}
				c.start()
				c.give(txns...)
				err := <-c.done
				c.done <- err
				if f := change.FaultOf(err); f == nil || f.Code != "BS-HALF-DONE" || !change.Halts(err) {
					t.Fatalf("got %v", err)
				}
				if it := c.ask(); it != nil {
					t.Fatalf("%T is handed over", it)
				}
			})
		})
	}
}

func TestAHalfDoneEpochThatIsNotReadToItsEndWritesNothing(t *testing.T) {
	collect(t, func(c *collector) {
		c.a.half = &checkpoint.End{Pos: change.Position{File: "binlog.000001", Pos: 1000}}
		c.start()
		c.give(plainTxn(1), plainTxn(2))
		if rest := c.end(); len(rest) != 0 {
			t.Fatalf("handed over: %v", rest)
		}
		err := <-c.done
		c.done <- err
		if err != nil || c.a.half == nil {
			t.Fatalf("error %v, half-done epoch %v", err, c.a.half)
		}
	})
}

func TestUsable(t *testing.T) {
	cases := map[string]struct {
		def  schema.Table
		want string
	}{
		"InnoDB":                     {schema.Table{Engine: "InnoDB"}, ""},
		"an engine without rollback": {schema.Table{Engine: "MyISAM"}, "BS-ENGINE"},
		"a table with triggers":      {schema.Table{Engine: "InnoDB", Triggers: []string{"t1"}}, "BS-TRIGGER"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if f := change.FaultOf(usable(&c.def)); f != nil {
				got = f.Code
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
