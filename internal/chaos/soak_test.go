//go:build soak

package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/binseal/binseal/stream"
)

// kills is how many SIGKILLs the soak spreads over both modes; BINSEAL_SOAK_KILLS changes it.
func kills(t *testing.T) int {
	t.Helper()
	n := 5000
	if v := os.Getenv("BINSEAL_SOAK_KILLS"); v != "" {
		if _, err := fmt.Sscan(v, &n); err != nil {
			t.Fatalf("BINSEAL_SOAK_KILLS: %v", err)
		}
	}
	return n
}

// TestSoakKills kills in rounds; after each the load pauses, a daemon drains and both sides are compared.
func TestSoakKills(t *testing.T) {
	const round = 125
	total := kills(t)
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			s := seed(t)
			r := begin(t, mode, s)
			rnd := rand.New(rand.NewPCG(s, 5))
			done := 0
			var transactions int64
			for done < total/2 {
				load := r.StartLoad(t, 4, Pace(10*time.Millisecond), true)
				for range min(round, total/2-done) {
					d := r.Start(t, Normal)
					if d.Wait(time.Duration(20+rnd.IntN(450)) * time.Millisecond) {
						t.Fatalf("the daemon ended by itself\n%s", tail(d.Log()))
					}
					d.Kill()
					done++
				}
				load.Stop()
				transactions += load.Transactions.Load()
				finish(t, r)
				t.Logf("%s: %d of %d SIGKILLs, %d source transactions: 0 lost, 0 doubled", mode, done, total/2, transactions)
			}
		})
	}
}

// TestSoakControlWithoutRecords: random kills alone must expose a build that ignores the followers' records.
func TestSoakControlWithoutRecords(t *testing.T) {
	const limit = 500
	s := seed(t)
	r := begin(t, "split", s)
	load := r.StartLoad(t, 6, Pace(2*time.Millisecond), false)
	rnd := rand.New(rand.NewPCG(s, 6))
	for n := range limit {
		d := r.Start(t, WeakRecord)
		d.Wait(time.Duration(100+rnd.IntN(400)) * time.Millisecond)
		st, err := d.Status(t.Context())
		if err == nil && st.State == stream.StateHalted {
			t.Logf("caught after %d kills: halted, %s", n, st.Problem.Code)
			return
		}
		d.Kill()
	}
	load.Stop()
	how := caught(t, r, r.Start(t, WeakRecord), time.Minute)
	if how == "" {
		t.Fatalf("a build that ignores the followers' records survived %d random kills", limit)
	}
	t.Logf("caught at the end of %d kills: %s", limit, how)
}

// TestSoakControlWithoutFence: random zombies, whose sessions the new owner does not know, must expose a build
// without the fence.
func TestSoakControlWithoutFence(t *testing.T) {
	const limit = 500
	s := seed(t)
	r := begin(t, "strict", s)
	rnd := rand.New(rand.NewPCG(s, 7))
	for n := 0; n < limit; {
		load := r.StartKeyless(t, 4, Pace(time.Millisecond))
		var last *Daemon
		for range 10 {
			old := r.Start(t, WeakFence)
			old.Wait(time.Duration(150+rnd.IntN(300)) * time.Millisecond)
			old.Signal(syscall.SIGSTOP)
			r.Target.Exec(t, "DELETE FROM binseal.session")
			last = r.Start(t, WeakFence)
			last.Wait(time.Duration(100+rnd.IntN(600)) * time.Millisecond)
			old.Signal(syscall.SIGCONT)
			last.Wait(time.Duration(rnd.IntN(200)) * time.Millisecond)
			old.Kill()
			n++
		}
		load.Stop()
		if how := caught(t, r, last, time.Minute); how != "" {
			t.Logf("caught after %d zombies: %s", n, how)
			return
		}
		last.Kill()
	}
	t.Fatalf("a build without the fence survived %d zombies", limit)
}

// TestSoakTakeOvers repeats the take-over test.
func TestSoakTakeOvers(t *testing.T) { takeOvers(t, 200) }
