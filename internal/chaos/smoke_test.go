package chaos

import (
	"testing"
	"time"

	"github.com/binseal/binseal/stream"
)

func TestMain(m *testing.M) { Main(m) }

func TestStreamEndsEqualInEachMode(t *testing.T) {
	for _, mode := range []string{"strict", "split", "auto"} {
		t.Run(mode, func(t *testing.T) {
			r := NewRig(t, Options{Mode: mode, Seed: 1})
			d := r.Start(t, Normal)
			d.Await(t, 15*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
			r.Prepare(t)
			load := r.StartLoad(t, 4, Pace(2*time.Millisecond), true)
			time.Sleep(5 * time.Second)
			load.Stop()
			r.AwaitCaughtUp(t, d, 30*time.Second)
			r.Equal(t)
			d.Stop(t)
			t.Logf("%d transactions, %d failed on the source", load.Transactions.Load(), load.Failures.Load())
		})
	}
}

// A list of keys that is longer than what the server believes to be in the table was executed as a scan, which waited
// for the rows that another session of the same epoch had locked, at the barrier, until the lock wait timed out.
func TestDeletesOfASplitEpochDoNotWaitForEachOther(t *testing.T) {
	r := begin(t, "split", seed(t))
	d := r.Start(t, Normal)
	r.Source.Exec(t, "CREATE TABLE shop.stale (id INT PRIMARY KEY, v INT) STATS_PERSISTENT=1 STATS_AUTO_RECALC=0",
		"INSERT INTO shop.stale WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 900) SELECT i, 0 FROM n")
	r.AwaitCaughtUp(t, d, 30*time.Second)
	r.Source.Exec(t, "DELETE FROM shop.stale WHERE id > 1")
	r.AwaitCaughtUp(t, d, 30*time.Second)
	st, err := d.Status(t.Context())
	must(t, err)
	if st.Totals.Reconnects != 0 || st.Totals.SplitEpochs == 0 {
		t.Errorf("%d runs ended, %d epochs split; want 0 and some\n%s", st.Totals.Reconnects, st.Totals.SplitEpochs, tail(d.Log()))
	}
	r.Equal(t)
	d.Stop(t)
}
