package applier

import (
	"testing"
	"testing/synctest"

	"github.com/binseal/binseal/change"
)

// Epochs as large as their bound and one more transaction of the reader's largest would be 64 MiB, three of them alive.
func TestATransactionThatDoesNotFitWaitsForTheNextEpoch(t *testing.T) {
	half := func(n uint64) *change.Txn {
		return heavy(plainTxn(n), maxEpochBytes/2+1)
	}
	collect(t, func(c *collector) {
		c.start()
		c.give(half(1), half(2))
		if c.offers(plainTxn(3)) {
			t.Fatal("a third transaction is taken: memory has no bound (invariant 7)")
		}
		c.wantEpoch(1, 1)
		c.give(plainTxn(3))
		c.wantEpoch(2, 3)
		c.give(heavy(plainTxn(4), 2*maxEpochBytes)) // Alone any transaction fits, or nothing would go on.
		c.wantEpoch(1, 4)
	})
}

// The executor must not plan, while the target idles, what the collector had the time to plan.
func TestAnEpochThatWaitsForTheExecutorIsPlanned(t *testing.T) {
	full := func(n uint64) *change.Txn {
		return heavy(plainTxn(n), maxEpochBytes-plainTxn(1).Bytes)
	}
	cases := map[string]struct {
		txns    []*change.Txn
		idle    bool // The executor asks before there is anything.
		planned bool
	}{
		"full":                            {txns: []*change.Txn{plainTxn(1), full(2)}, planned: true},
		"full, the executor asks already": {txns: []*change.Txn{full(1)}, idle: true},
		"too full for the next one":       {txns: []*change.Txn{full(1), full(2)}, planned: true},
		"not full":                        {txns: []*change.Txn{plainTxn(1), plainTxn(2)}},
		"closed by a change of class":     {txns: []*change.Txn{plainTxn(1), partialTxn(2, "d", 9)}, planned: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			collect(t, func(c *collector) {
				c.a.cfg.Mode, c.a.cfg.Sessions = Split, 2
				got := make(chan item, 1)
				ask := func() { got <- <-c.out }
				c.start()
				if tc.idle {
					go ask()
					synctest.Wait()
				}
				for _, txn := range tc.txns {
					if !c.offers(txn) {
						t.Fatal("a transaction is not taken")
					}
				}
				if !tc.idle {
					go ask()
				}
				e := (<-got).(*epoch)
				if (e.plan != nil) != tc.planned {
					t.Fatalf("planned: %v, want %v", e.plan != nil, tc.planned)
				}
				if !tc.planned {
					return
				}
				later, err := c.a.plan(e)
				if err != nil || e.plan.rows != e.rows || e.plan.rows != later.rows || len(e.plan.leader) != len(later.leader) || len(e.plan.followers) != len(later.followers) {
					t.Errorf("planned %+v, the executor would plan %+v, %v", e.plan, later, err)
				}
			})
		})
	}
}
