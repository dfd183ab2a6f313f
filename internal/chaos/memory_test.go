package chaos

import (
	"testing"
	"time"
)

// Invariant 7 in small; package bench has the transaction of 2 GB and the backlog.
func TestOversizedTransactionInBoundedMemory(t *testing.T) {
	const size = 200 << 20
	r := begin(t, "auto", seed(t))
	d := r.Start(t, Normal)
	awaitZero(t, d)
	begun := time.Now()
	r.Oversized(t, size)
	r.AwaitCaughtUp(t, d, 2*time.Minute)
	peak := d.PeakRSS(t)
	t.Logf("one transaction of %d MiB: caught up %s after its begin, peak RSS %d MiB", size>>20, time.Since(begun).Round(time.Second), peak>>20)
	if peak > MemoryBound {
		t.Errorf("peak RSS %d MiB, allowed are %d MiB", peak>>20, MemoryBound>>20)
	}
	r.Equal(t)
	d.Stop(t)
}
