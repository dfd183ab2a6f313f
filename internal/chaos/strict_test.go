package chaos

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/binseal/binseal/stream"
)

// Invariant 3: in strict mode every state of the target that can be read was a state of the source. Money moves
// between accounts on the source, so the total over all accounts is constant in every state of the source.
func TestStrictReadsAlwaysSeeTheSourcesTotal(t *testing.T) {
	s := seed(t)
	r := begin(t, "strict", s)
	transfers := func(n int, seq uint64) {
		rnd := rand.New(rand.NewPCG(s, seq))
		for range n {
			from, to, sum := rnd.IntN(accounts), rnd.IntN(accounts), rnd.IntN(50)
			if _, err := r.Source.DB().ExecContext(t.Context(), fmt.Sprintf(
				"BEGIN; UPDATE shop.accounts SET balance=balance-%d WHERE id=%d; UPDATE shop.accounts SET balance=balance+%d WHERE id=%d; COMMIT", sum, from, sum, to)); err != nil {
				t.Errorf("transfer: %v", err)
				return
			}
		}
	}
	transfers(8000, 3) // A backlog, so that the reads fall into a catch-up of large epochs.
	var wg sync.WaitGroup
	wg.Go(func() { transfers(6000, 4) })
	d := r.Start(t, Normal)
	const want = accounts * opening
	reads, moved := 0, map[string]bool{}
	for begun := time.Now(); reads < 1000 || time.Since(begun) < 2*time.Second; reads++ {
		// One statement is one consistent read.
		row := r.Target.QueryT(t, "SELECT SUM(balance), SUM(balance*id) FROM shop.accounts")[0]
		if row[0] != fmt.Sprint(want) {
			t.Fatalf("read %d: total %s on the target, the source never had but %d", reads, row[0], want)
		}
		moved[row[1]] = true
	}
	wg.Wait()
	if len(moved) < 20 {
		t.Errorf("the reads saw only %d different states: too few to prove anything", len(moved))
	}
	r.AwaitCaughtUp(t, d, time.Minute)
	st := d.Await(t, time.Second, "status", func(st stream.Status) bool { return true })
	if st.Totals.SplitEpochs != 0 {
		t.Errorf("%d epochs were split in strict mode", st.Totals.SplitEpochs)
	}
	r.Equal(t)
	d.Stop(t)
	t.Logf("%d reads of %d different states, %d epochs for %d transactions", reads, len(moved), st.Totals.Epochs, st.Totals.Transactions)
}
