package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
)

// Invariant 7 in small; package bench has the transaction of 2 GB and the backlog.
func TestMemoryIsBounded(t *testing.T) {
	target := testmysql.TargetOptions()
	target.Extra = []string{"--max-allowed-packet=256M"} // A value's escapes make its statement longer than the row.
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t), Target: testmysql.StartT(t, target)})
	d := r.Start(t, Normal)
	awaitZero(t, d)
	r.Prepare(t)
	d.Stop(t)
	for name, write := range map[string]func(*testing.T){
		"one transaction of 200 MiB": func(t *testing.T) { r.Oversized(t, 200<<20) },
		"rows of 60 MiB":             func(t *testing.T) { hugeRows(t, r, 60<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			d := r.Start(t, Normal)
			awaitZero(t, d)
			begun := time.Now()
			write(t)
			r.AwaitCaughtUp(t, d, 2*time.Minute)
			peak := d.PeakRSS(t)
			t.Logf("caught up %s after its begin, peak RSS %d MiB", time.Since(begun).Round(time.Second), peak>>20)
			if peak > MemoryBound {
				t.Errorf("peak RSS %d MiB, allowed are %d MiB", peak>>20, MemoryBound>>20)
			}
			r.Equal(t)
			d.Stop(t)
		})
	}
}

// hugeRows inserts, updates (an event with both images) and deletes rows of size bytes, in transactions of their own
// and in one.
func hugeRows(t *testing.T, r *Rig, size int) {
	insert := fmt.Sprintf("INSERT INTO shop.huge (body) VALUES (REPEAT(UNHEX(SHA2(RAND(),256)), %d))", size/32)
	update := fmt.Sprintf("UPDATE shop.huge SET n=n+1, body=REPEAT(UNHEX(SHA2(RAND(),256)), %d)", size/32)
	r.Source.Exec(t, "CREATE TABLE shop.huge (id INT PRIMARY KEY AUTO_INCREMENT, n INT DEFAULT 0, body LONGBLOB)",
		insert, insert, update, "START TRANSACTION", insert, insert, update, "DELETE FROM shop.huge WHERE id=2", "COMMIT")
}
