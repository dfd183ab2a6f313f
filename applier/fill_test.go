package applier

import (
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/binseal/binseal/change"
)

// farBehind makes all transactions too old for some milliseconds to matter; atEnd says whether they reach the source's end.
func (c *collector) farBehind() (atEnd *atomic.Bool) {
	atEnd = new(atomic.Bool)
	c.a.cfg.Seen = func() (time.Time, time.Duration) { return time.Time{}, 0 } // The transactions are of 1970.
	c.a.cfg.AtEnd = func(change.Position) bool { return atEnd.Load() }
	return atEnd
}

// insertsOf are n inserts of different rows.
func insertsOf(n int) (rows []change.Row) {
	for i := range n {
		rows = append(rows, rowsOf(plainMap, change.Insert, 0, modelRow{id: strconv.Itoa(i), v: int32(i)}.image())...)
	}
	return rows
}

// Far behind the source the executor waits until a share of an epoch is there, the first time a small one, or nothing more
// arrives.
func TestFarBehindAnEpochIsFilled(t *testing.T) {
	collect(t, func(c *collector) {
		c.farBehind()
		c.start()
		c.give(plainTxn(2), plainTxn(3))
		if it := c.ask(); it != nil {
			t.Fatalf("handed over at once: %v", it)
		}
		time.Sleep(fillPatience - 1)
		c.give(plainTxn(4))
		time.Sleep(fillPatience - 1)
		if it := c.ask(); it != nil {
			t.Fatalf("handed over although more arrives: %v", it)
		}
		time.Sleep(fillPatience)
		c.wantEpoch(3, 4)
		n := uint64(5)
		for share := firstShare / 2; share >= lastShare/2; share /= 2 {
			enough := max(share, lastShare)
			c.give(heavy(plainTxn(n), maxEpochBytes/enough-1))
			if it := c.ask(); it != nil {
				t.Fatalf("below 1/%d: handed over %v", enough, it)
			}
			c.give(plainTxn(n + 1))
			c.wantEpoch(2, n+1)
			n += 2
		}
	})
}

// An epoch whose changes meet each other is filled: neither its share nor a short pause of the source's log ends it, but the
// log's end and a long pause do.
func TestAnEpochThatMergesIsFilled(t *testing.T) {
	same := func(n uint64) *change.Txn { // Of row a.
		return txnAt(n, rowsOf(plainMap, change.Update, 0, modelRow{id: "a", v: int32(n)}.image(), modelRow{id: "a", v: int32(n) + 1}.image())...)
	}
	for name, ends := range map[string]func(atEnd *atomic.Bool){
		"until the log's end":    func(atEnd *atomic.Bool) { atEnd.Store(true) },
		"until it pauses longer": func(*atomic.Bool) { time.Sleep(fillPause) },
	} {
		t.Run(name, func(t *testing.T) {
			collect(t, func(c *collector) {
				atEnd := c.farBehind()
				c.start()
				c.give(same(1), same(2), heavy(same(3), maxEpochBytes/firstShare))
				time.Sleep(fillPause / 2)
				if it := c.ask(); it != nil {
					t.Fatalf("handed over before: %v", it)
				}
				ends(atEnd)
				time.Sleep(2 * fillPatience)
				c.wantEpoch(3, 3)
			})
		})
	}
}

// Over a slow link there is never a pause, and yet what has been collected for long is handed over, whether it merges or not.
func TestASlowLinkIsNotWaitedFor(t *testing.T) {
	for name, id := range map[string]func(n uint64) string{
		"one row":        func(uint64) string { return "a" },
		"different rows": func(n uint64) string { return strconv.FormatUint(n, 10) },
	} {
		t.Run(name, func(t *testing.T) {
			collect(t, func(c *collector) {
				c.farBehind()
				c.start()
				begun, n := time.Now(), uint64(0)
				for time.Since(begun) <= fillTime {
					if it := c.ask(); it != nil {
						t.Fatalf("handed over after %s: %v", time.Since(begun), it)
					}
					n++
					row := modelRow{id: id(n), v: int32(n)}.image()
					c.give(txnAt(n, rowsOf(plainMap, change.Update, 0, row, row)...))
					time.Sleep(fillPatience - 1)
				}
				n++
				row := modelRow{id: id(n), v: int32(n)}.image()
				c.give(txnAt(n, rowsOf(plainMap, change.Update, 0, row, row)...))
				c.wantEpoch(int(n), n)
			})
		})
	}
}

// The source's end may be seen to be reached when nothing arrives any more: what has its share then goes early as well.
func TestTheEndIsSeenWhileNothingArrives(t *testing.T) {
	collect(t, func(c *collector) {
		atEnd := c.farBehind()
		c.a.cfg.Mode, c.a.early = Strict, make(chan item)
		c.start()
		c.give(txnAt(1, insertsOf(splitRows)...), heavy(plainTxn(2), maxEpochBytes/firstShare))
		atEnd.Store(true)
		time.Sleep(fillPatience + 1)
		synctest.Wait()
		c.wantEarly(true, 2, 2)
	})
}
