package chaos

import (
	"os"
	"testing"
	"time"

	"github.com/binseal/binseal/stream"
)

func TestMain(m *testing.M) {
	code := m.Run()
	RemoveBuilds()
	os.Exit(code)
}

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
