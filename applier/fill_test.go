package applier

import (
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/binseal/binseal/change"
)

// Far behind the source the executor waits until a share of an epoch is there, the first time a small one, or nothing more
// arrives.
func TestFarBehindAnEpochIsFilled(t *testing.T) {
	collect(t, func(c *collector) {
		c.a.cfg.Seen = func() (time.Time, time.Duration) { return time.Time{}, 0 } // The transactions are of 1970.
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

// An epoch whose changes meet each other is filled: neither its share nor a pause of the source's log ends it, but the log's
// end and time do.
func TestAnEpochThatMergesIsFilled(t *testing.T) {
	same := func(n uint64) *change.Txn { // Of row a.
		return txnAt(n, rowsOf(plainMap, change.Update, 0, modelRow{id: "a", v: int32(n)}.image(), modelRow{id: "a", v: int32(n) + 1}.image())...)
	}
	for name, ends := range map[string]func(atEnd *atomic.Bool){
		"until the log's end":         func(atEnd *atomic.Bool) { atEnd.Store(true) },
		"until it has taken its time": func(*atomic.Bool) { time.Sleep(fillTime) },
	} {
		t.Run(name, func(t *testing.T) {
			collect(t, func(c *collector) {
				var atEnd atomic.Bool
				c.a.cfg.AtEnd = func(change.Position) bool { return atEnd.Load() }
				c.a.cfg.Seen = func() (time.Time, time.Duration) { return time.Time{}, 0 } // The transactions are of 1970.
				c.start()
				c.give(same(1), same(2), heavy(same(3), maxEpochBytes/firstShare))
				time.Sleep(10 * fillPatience)
				if it := c.ask(); it != nil {
					t.Fatalf("handed over before: %v", it)
				}
				ends(&atEnd)
				time.Sleep(2 * fillPatience)
				c.wantEpoch(3, 3)
			})
		})
	}
}

// The source's end may be seen to be reached when nothing arrives any more: what has its share then goes early as well.
func TestTheEndIsSeenWhileNothingArrives(t *testing.T) {
	collect(t, func(c *collector) {
		var atEnd atomic.Bool
		c.a.cfg.Mode, c.a.early = Strict, make(chan item)
		c.a.cfg.AtEnd = func(change.Position) bool { return atEnd.Load() }
		c.a.cfg.Seen = func() (time.Time, time.Duration) { return time.Time{}, 0 }
		c.start()
		var rows []change.Row
		for i := range splitRows {
			rows = append(rows, rowsOf(plainMap, change.Insert, 0, modelRow{id: strconv.Itoa(i), v: int32(i)}.image())...)
		}
		c.give(txnAt(1, rows...), heavy(plainTxn(2), maxEpochBytes/firstShare))
		atEnd.Store(true)
		time.Sleep(fillPatience + 1)
		synctest.Wait()
		c.wantEarly(true, 2, 2)
	})
}
