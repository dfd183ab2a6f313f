//go:build bench

package bench

import (
	"testing"
	"time"

	"github.com/binseal/binseal/internal/chaos"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

func TestMain(m *testing.M) { chaos.Main(m) }

// begin starts a stream between servers with room for large transactions.
func begin(t *testing.T) (*chaos.Rig, *chaos.Daemon) {
	t.Helper()
	source, target := testmysql.SourceOptions(), testmysql.TargetOptions()
	for _, o := range []*testmysql.Options{&source, &target} {
		o.BufferPoolMB = 1024
		o.Extra = []string{"--innodb-redo-log-capacity=2G"}
	}
	r := chaos.NewRig(t, chaos.Options{Mode: "auto", Source: testmysql.StartT(t, source), Target: testmysql.StartT(t, target)})
	d := r.Start(t, chaos.Normal)
	streaming(t, d)
	r.Prepare(t)
	r.AwaitCaughtUp(t, d, time.Minute)
	return r, d
}

func streaming(t *testing.T, d *chaos.Daemon) {
	t.Helper()
	d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
}

// end waits until the stream has caught up, prints the peak and compares both sides.
func end(t *testing.T, r *chaos.Rig, d *chaos.Daemon, what string) {
	t.Helper()
	begun := time.Now()
	r.AwaitCaughtUp(t, d, 30*time.Minute)
	peak := d.PeakRSS(t)
	t.Logf("%s: caught up in %s, peak RSS %d MiB of %d MiB allowed", what, time.Since(begun).Round(time.Second), peak>>20, chaos.MemoryBound>>20)
	if peak > chaos.MemoryBound {
		t.Errorf("peak RSS %d bytes, allowed are %d", peak, chaos.MemoryBound)
	}
	r.Equal(t)
	d.Stop(t)
}

// Invariant 7: memory is bounded in bytes, whatever the source sends.
func TestMemoryOfOneTransactionOf2GB(t *testing.T) {
	r, d := begin(t)
	begun := time.Now()
	r.Oversized(t, 2<<30)
	t.Logf("one transaction of 2 GiB written in %s", time.Since(begun).Round(time.Second))
	end(t, r, d, "one transaction of 2 GiB")
}

// What an application writes in an hour at 500 transactions a second, while the stream is down.
func TestMemoryOfAnHourOfBacklog(t *testing.T) {
	const transactions = 3600 * 500
	r, d := begin(t)
	d.Stop(t)
	begun := time.Now()
	r.Backlog(t, transactions)
	t.Logf("%d transactions written in %s", transactions, time.Since(begun).Round(time.Second))
	d = r.Start(t, chaos.Normal)
	streaming(t, d)
	end(t, r, d, "an hour's backlog")
}
