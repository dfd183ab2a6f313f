package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// seed is printed with every run; BINSEAL_SEED repeats one. Timing is not repeatable, the draws are.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if v := os.Getenv("BINSEAL_SEED"); v != "" {
		if _, err := fmt.Sscan(v, &s); err != nil {
			t.Fatalf("BINSEAL_SEED: %v", err)
		}
	}
	t.Logf("seed %d", s)
	return s
}

// begin starts a stream on a prepared source, with a first daemon that has carried the schema over.
func begin(t *testing.T, mode string, s uint64) *Rig {
	t.Helper()
	r := NewRig(t, Options{Mode: mode, Seed: s})
	r.carrySchema(t)
	return r
}

// carrySchema lets a first daemon carry the load's schema over.
func (r *Rig) carrySchema(t *testing.T) {
	t.Helper()
	d := r.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Prepare(t)
	r.AwaitCaughtUp(t, d, 30*time.Second)
	d.Stop(t)
}

// finish lets a daemon drain what is left and compares both sides.
func finish(t *testing.T, r *Rig) {
	t.Helper()
	d := r.Start(t, Normal)
	r.AwaitCaughtUp(t, d, 2*time.Minute)
	r.Equal(t)
	d.Stop(t)
}

// killAtRandom starts and SIGKILLs the daemon n times.
func (r *Rig) killAtRandom(t *testing.T, rnd *rand.Rand, n int) {
	t.Helper()
	for range n {
		d := r.Start(t, Normal)
		// From before the claim to well into the stream. A daemon is up after about 100 ms.
		if d.Wait(time.Duration(20+rnd.IntN(500)) * time.Millisecond) {
			t.Fatalf("the daemon ended by itself\n%s", tail(d.Log()))
		}
		d.Kill()
	}
}

// randomKills starts and SIGKILLs the daemon n times under load, then lets one finish.
func randomKills(t *testing.T, mode string, n int) {
	s := seed(t)
	r := begin(t, mode, s)
	load := r.StartLoad(t, 4, Pace(8*time.Millisecond), true)
	begun := time.Now()
	r.killAtRandom(t, rand.New(rand.NewPCG(s, 1)), n)
	took := time.Since(begun)
	load.Stop()
	finish(t, r)
	t.Logf("%s: %d SIGKILLs in %s, %d source transactions (%d failed on the source): 0 lost, 0 doubled",
		mode, n, took.Round(time.Second), load.Transactions.Load(), load.Failures.Load())
}

func TestRandomKillsLoseAndDoubleNothing(t *testing.T) {
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) { randomKills(t, mode, 100) })
	}
}

// Without GTIDs the checkpoint is a file and a position; the log is rotated meanwhile.
func TestRandomKillsByPosition(t *testing.T) {
	s := seed(t)
	o := testmysql.SourceOptions()
	o.GTID = false
	r := NewRig(t, Options{Mode: "split", Seed: s, Source: testmysql.StartT(t, o)})
	r.carrySchema(t)
	load := r.StartLoad(t, 4, Pace(8*time.Millisecond), true)
	rnd := rand.New(rand.NewPCG(s, 1))
	for n := range 30 {
		d := r.Start(t, Normal)
		d.Wait(time.Duration(20+rnd.IntN(500)) * time.Millisecond)
		d.Kill()
		if n%7 == 0 {
			r.Source.Exec(t, "FLUSH BINARY LOGS")
		}
	}
	load.Stop()
	r.Source.Exec(t, "FLUSH BINARY LOGS")
	d := r.Start(t, Normal)
	r.AwaitCaughtUp(t, d, 2*time.Minute)
	d.Await(t, 10*time.Second, "caught up behind an empty log file", func(st stream.Status) bool { return st.Lag.CaughtUp })
	r.Equal(t)
	d.Stop(t)
}

// modes in which each point can be reached; points of split epochs exist only there. Two epochs are executed beside each
// other where they are full and have no ordered changes: see TestKillsWhileTwoEpochsAreExecuted.
var pointModes = map[string][]string{
	crashpoint.Beside:         {"strict, full epochs"},
	crashpoint.Barrier:        {"split"},
	crashpoint.FollowerCommit: {"split"},
	crashpoint.RecoverBegin:   {"split"},
	crashpoint.RecoverDone:    {"split"},
}

func TestKillAtEachNamedPoint(t *testing.T) {
	s := seed(t)
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			r := begin(t, mode, s)
			load := r.StartLoad(t, 4, Pace(4*time.Millisecond), true)
			large := r.StartLarge(t)
			for _, point := range crashpoint.All() {
				if modes, ok := pointModes[point]; ok && modes[0] != mode {
					continue
				}
				for _, count := range []int{1, 3} {
					if point == crashpoint.ClaimSent || point == crashpoint.Claimed || point == crashpoint.RecoverBegin || point == crashpoint.RecoverDone {
						count = 1 // Passed once in a process's life.
					}
					if point == crashpoint.RecoverBegin || point == crashpoint.RecoverDone {
						killAt(t, r, crashpoint.FollowerCommit, 1) // Leaves a half-done epoch.
					}
					killAt(t, r, point, count)
				}
			}
			large.Stop()
			load.Stop()
			finish(t, r)
		})
	}
}

// killAt runs the daemon until it has killed itself at the point.
func killAt(t *testing.T, r *Rig, point string, count int) {
	t.Helper()
	d := r.Start(t, Normal, fmt.Sprintf("BINSEAL_CRASH_AT=%s:%d", point, count))
	if !d.Wait(30 * time.Second) {
		t.Fatalf("point %s was not reached %d times within 30 s\n%s", point, count, tail(d.Log()))
	}
	if code := d.ExitCode(); code != -1 {
		t.Fatalf("point %s: exit code %d, want an end by SIGKILL\n%s", point, code, tail(d.Log()))
	}
}

// A COMMIT whose reply is lost has most often committed (facts/reliability.md §0.4: 50 of 50). Blind retry would
// apply its keyless rows twice.
func TestLostReplyOfCommitDoublesNothing(t *testing.T) {
	s := seed(t)
	for _, mode := range []string{"strict", "split"} {
		for _, point := range []string{crashpoint.BeforeLeader, crashpoint.Barrier, crashpoint.IntentCommit} {
			if modes, ok := pointModes[point]; ok && modes[0] != mode {
				continue
			}
			t.Run(mode+" "+point, func(t *testing.T) {
				r := begin(t, mode, s)
				load := r.StartLoad(t, 4, Pace(4*time.Millisecond), true)
				held := filepath.Join(r.Dir, "held")
				d := r.Start(t, Normal, "BINSEAL_PAUSE_AT="+point+":5", "BINSEAL_PAUSE_FILE="+held)
				awaitFile(t, held, d)
				r.TargetProxy.SwallowReplies() // COMMIT still reaches the server; its OK does not come back.
				must(t, os.Remove(held))
				time.Sleep(200 * time.Millisecond)
				r.TargetProxy.Cut(0)
				r.TargetProxy.Flow()
				time.Sleep(500 * time.Millisecond)
				load.Stop()
				r.AwaitCaughtUp(t, d, time.Minute)
				r.Equal(t)
				d.Stop(t)
			})
		}
	}
}

// awaitFile waits until the daemon holds at its pause point.
func awaitFile(t *testing.T, path string, d *Daemon) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if d.Wait(5*time.Millisecond) || time.Now().After(deadline) {
			t.Fatalf("the daemon did not come to its pause point\n%s", tail(d.Log()))
		}
	}
}
