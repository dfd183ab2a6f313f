package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/stream"
)

// The negative controls: a harness that cannot see a weakened build proves nothing about the real one.

// caught lets the weakened daemon go on and reports how the harness sees its damage: as differences, or because the
// daemon itself stopped at a divergence. "" means that nothing was seen.
func caught(t *testing.T, r *Rig, d *Daemon, limit time.Duration) string {
	t.Helper()
	end := r.Source.QueryT(t, "SELECT @@GLOBAL.gtid_executed")[0][0]
	deadline := time.Now().Add(limit)
	for time.Now().Before(deadline) {
		st, err := d.Status(t.Context())
		if err == nil && st.State == stream.StateHalted {
			return "halted: " + st.Problem.Code
		}
		if err == nil && covers(st.Lag.Applied.GTID, end) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if differences, _ := r.Compare(t); len(differences) > 0 {
		return "differences: " + strings.Join(differences, "; ")
	}
	return ""
}

// Without the records of the followers, recovery begins at the leader's checkpoint and applies the share of a
// follower that has committed a second time. The half-done epoch is one transaction of inserts and deletes, so that
// each follower's share holds what cannot be applied twice: a share of nothing but updates can, unseen.
func TestControlWithoutRecordsIsCaught(t *testing.T) {
	caughtAs := func(t *testing.T, build Build) string {
		r := begin(t, "split", seed(t))
		insert := func(from int) string {
			rows := make([]string, 300)
			for i := range rows {
				rows[i] = fmt.Sprintf("(%d,%d,'part')", from+i/20, i%20)
			}
			return "INSERT INTO shop.parts VALUES " + strings.Join(rows, ",")
		}
		d := r.Start(t, Normal)
		r.Source.Exec(t, insert(100))
		r.AwaitCaughtUp(t, d, 30*time.Second)
		d.Stop(t)
		r.Source.Exec(t, "START TRANSACTION; "+insert(200)+"; DELETE FROM shop.parts WHERE a BETWEEN 100 AND 199; COMMIT")
		killAt(t, r, crashpoint.FollowerCommit, 1)
		return caught(t, r, r.Start(t, build), 30*time.Second)
	}
	t.Run("the weakened build is caught", func(t *testing.T) {
		how := caughtAs(t, WeakRecord)
		if how == "" {
			t.Fatal("a build that ignores the followers' records was not caught")
		}
		t.Log(how)
	})
	t.Run("the real build passes the same treatment", func(t *testing.T) {
		if how := caughtAs(t, Normal); how != "" {
			t.Fatalf("the records let something through: %s", how)
		}
	})
}

// Without the fence, a daemon that was held while another took over applies its epoch a second time. The old
// sessions must look alive and unknown to the new owner, as after a failover of the target: the KILL by registered
// connection id would otherwise save even this build.
func TestControlWithoutFenceIsCaught(t *testing.T) {
	caughtAs := func(t *testing.T, build Build) (string, *Daemon) {
		r := begin(t, "strict", seed(t))
		load := r.StartKeyless(t, 4, Pace(2*time.Millisecond)) // A key would refuse the second copy, also without the fence.
		held := filepath.Join(r.Dir, "held")
		old := r.Start(t, build, "BINSEAL_PAUSE_AT="+crashpoint.EpochBegin+":10", "BINSEAL_PAUSE_FILE="+held)
		awaitFile(t, held, old)
		r.Target.Exec(t, "DELETE FROM binseal.session")
		young := r.Start(t, build)
		young.Await(t, 20*time.Second, "the new owner streams", func(st stream.Status) bool {
			return st.State == stream.StateStreaming && st.Totals.Transactions > 20
		})
		load.Stop()
		before, err := old.Status(t.Context())
		must(t, err)
		must(t, os.Remove(held))
		old.Await(t, 20*time.Second, "the old owner has met the fence, or passed it", func(st stream.Status) bool {
			return st.State == stream.StateHalted || st.Totals.Transactions > before.Totals.Transactions
		})
		return caught(t, r, young, 30*time.Second), old
	}
	t.Run("the weakened build is caught", func(t *testing.T) {
		how, _ := caughtAs(t, WeakFence)
		if how == "" {
			t.Fatal("a build without the fence was not caught")
		}
		t.Log(how)
	})
	t.Run("the real build passes the same treatment", func(t *testing.T) {
		how, old := caughtAs(t, Normal)
		if how != "" {
			t.Fatalf("the fence let something through: %s", how)
		}
		st, err := old.Status(t.Context())
		must(t, err)
		if st.State != stream.StateHalted || st.Problem == nil || st.Problem.Code != "BS-FENCED" {
			t.Fatalf("the old daemon is %s with %+v, want halted with BS-FENCED", st.State, st.Problem)
		}
	})
}
