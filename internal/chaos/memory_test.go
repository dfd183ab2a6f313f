package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// Invariant 7 in small; package bench has the transaction of 2 GB and the backlog.
func TestMemoryIsBounded(t *testing.T) {
	source, target := testmysql.SourceOptions(), testmysql.TargetOptions()
	for _, o := range []*testmysql.Options{&source, &target} {
		o.Extra = []string{"--max-allowed-packet=256M"} // A value's escapes make its statement longer than the row.
	}
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t), Source: testmysql.StartT(t, source), Target: testmysql.StartT(t, target)})
	d := r.Start(t, Normal)
	awaitZero(t, d)
	r.Prepare(t)
	d.Stop(t)
	for _, c := range []struct {
		name  string
		write func(*testing.T)
	}{
		{"one transaction of 200 MiB", func(t *testing.T) { r.Oversized(t, 200<<20) }},
		{"rows of 60 MiB", func(t *testing.T) { hugeRows(t, r, 60<<20) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := r.Start(t, Normal)
			awaitZero(t, d)
			begun := time.Now()
			c.write(t)
			r.AwaitCaughtUp(t, d, 2*time.Minute)
			t.Logf("caught up %s after its begin", time.Since(begun).Round(time.Second))
			bounded(t, d)
			r.Equal(t)
			d.Stop(t)
		})
	}
	t.Run("a row above the bound is refused by name", func(t *testing.T) {
		d := r.Start(t, Normal)
		awaitZero(t, d)
		r.Source.Exec(t, "INSERT INTO shop.huge (body) VALUES (REPEAT('x', 100000000))")
		st := d.Await(t, 30*time.Second, "halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
		if st.Problem.Code != "BS-TOO-LARGE" || st.Problem.Where == "" {
			t.Errorf("problem %+v", st.Problem)
		}
		bounded(t, d)
	})
}

func bounded(t *testing.T, d *Daemon) {
	t.Helper()
	peak := d.PeakRSS(t)
	t.Logf("peak RSS %d MiB of %d MiB allowed", peak>>20, MemoryBound>>20)
	if peak > MemoryBound {
		t.Errorf("peak RSS %d bytes, allowed are %d", peak, MemoryBound)
	}
}

// hugeRows inserts, updates (an event with both images) and deletes rows of size bytes, in transactions of their own
// and in one.
func hugeRows(t *testing.T, r *Rig, size int) {
	insert := fmt.Sprintf("INSERT INTO shop.huge (body) VALUES (REPEAT(UNHEX(SHA2(RAND(),256)), %d))", size/32)
	update := fmt.Sprintf("UPDATE shop.huge SET n=n+1, body=REPEAT(UNHEX(SHA2(RAND(),256)), %d)", size/32)
	r.Source.Exec(t, "CREATE TABLE IF NOT EXISTS shop.huge (id INT PRIMARY KEY AUTO_INCREMENT, n INT DEFAULT 0, body LONGBLOB)",
		insert, insert, update, "START TRANSACTION", insert, update+" WHERE id=3", "DELETE FROM shop.huge WHERE id=2", "COMMIT")
}
