package chaos

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/stream"
)

// takeOverLimit: facts/reliability.md G6.
const takeOverLimit = 5 * time.Second

// A second daemon takes over while the first is stopped in the middle of an epoch and its connections look alive.
// The first, let go again, commits nothing more and says why.
func TestSecondDaemonTakesOverFromAStoppedOne(t *testing.T) {
	takeOvers(t, 20)
}

func takeOvers(t *testing.T, n int) {
	s := seed(t)
	r := begin(t, "split", s)
	load := r.StartLoad(t, 4, Pace(2*time.Millisecond), true)
	rnd := rand.New(rand.NewPCG(s, 2))
	owner := r.Start(t, Normal)
	var worst time.Duration
	for range n {
		owner.Await(t, 20*time.Second, "the owner streams", func(st stream.Status) bool {
			return st.State == stream.StateStreaming && st.Totals.Transactions > 5
		})
		time.Sleep(time.Duration(rnd.IntN(100)) * time.Millisecond)
		owner.Signal(syscall.SIGSTOP)
		begun := time.Now()
		next := r.Start(t, Normal)
		next.Await(t, 20*time.Second, "the second daemon streams", func(st stream.Status) bool {
			return st.State == stream.StateStreaming && st.Totals.Transactions > 0
		})
		if took := time.Since(begun); took > worst {
			worst = took
		}
		owner.Signal(syscall.SIGCONT)
		st := owner.Await(t, 20*time.Second, "the first daemon has stopped", func(st stream.Status) bool { return st.State == stream.StateHalted })
		if st.Problem.Code != "BS-FENCED" {
			t.Fatalf("the first daemon halted with %+v, want BS-FENCED", st.Problem)
		}
		owner.Signal(syscall.SIGTERM)
		if !owner.Wait(10*time.Second) || owner.ExitCode() != 4 {
			t.Fatalf("SIGTERM to the fenced daemon: exit code %d, want 4\n%s", owner.ExitCode(), tail(owner.Log()))
		}
		owner = next
	}
	if worst > takeOverLimit {
		t.Errorf("slowest take-over %s, limit %s", worst, takeOverLimit)
	}
	load.Stop()
	r.AwaitCaughtUp(t, owner, time.Minute)
	r.Equal(t)
	owner.Stop(t)
	t.Logf("%d take-overs, slowest %s from start to the first applied transaction", n, worst.Round(time.Millisecond))
}

// A daemon that was held between its claim and its sessions, until after another had taken over: the new owner could
// not know these sessions. What the old one then meets, here a table that the new owner has dropped, is not its fault.
func TestADaemonHeldBehindItsClaimSaysThatItWasFencedOff(t *testing.T) {
	r := begin(t, "strict", seed(t))
	first := r.Start(t, Normal)
	r.Source.Exec(t, "CREATE TABLE shop.gone (id INT PRIMARY KEY)", "INSERT INTO shop.gone VALUES (1)")
	r.AwaitCaughtUp(t, first, time.Minute)
	first.Stop(t)

	held := filepath.Join(r.Dir, "held")
	old := r.Start(t, Normal, "BINSEAL_PAUSE_AT="+crashpoint.Claimed, "BINSEAL_PAUSE_FILE="+held)
	awaitFile(t, held, old)
	r.Source.Exec(t, "INSERT INTO shop.gone VALUES (2)", "DROP TABLE shop.gone")
	young := r.Start(t, Normal)
	r.AwaitCaughtUp(t, young, time.Minute)
	must(t, os.Remove(held))
	st := old.Await(t, time.Minute, "the old daemon has halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
	if st.Problem.Code != "BS-FENCED" {
		t.Errorf("the old daemon halted with %+v, want BS-FENCED", st.Problem)
	}
	r.Source.Exec(t, "CREATE TABLE shop.gone (id INT PRIMARY KEY)", "INSERT INTO shop.gone VALUES (3)")
	r.AwaitCaughtUp(t, young, time.Minute)
	r.Equal(t)
	young.Stop(t)
}
