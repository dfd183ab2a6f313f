package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/stream"
)

// beginFull starts a stream whose epochs are full at 40 rows, so that on a backlog two are executed at a time, and
// one client. A transaction inserts the next number into two tables and updates rows of numbers before it, some of which
// the epoch before has too.
func beginFull(t *testing.T, mode string, s uint64) (*Rig, *Load) {
	t.Helper()
	r := NewRig(t, Options{Mode: mode, Seed: s})
	r.EpochRows = 40
	r.carrySchema(t)
	r.Source.Exec(t, "CREATE TABLE shop.numbers (id INT PRIMARY KEY, n INT NOT NULL, KEY (n))", "CREATE TABLE shop.twins (id INT PRIMARY KEY, n INT NOT NULL)")
	next := 0
	return r, r.startClients(t, clients{n: 1, draws: 1 << 35, pace: Pace(200 * time.Microsecond), work: func(ctx context.Context, db *sql.DB, rnd *rand.Rand) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for _, q := range []string{fmt.Sprintf("INSERT INTO shop.numbers VALUES (%d,0)", next+1), fmt.Sprintf("INSERT INTO shop.twins VALUES (%d,0)", next+1),
			fmt.Sprintf("UPDATE shop.numbers SET n=n+1 WHERE id=%d", 1+rnd.IntN(next+1))} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				_ = tx.Rollback()
				return err
			}
		}
		if err = tx.Commit(); err == nil {
			next++
		}
		return err
	}})
}

func TestKillsWhileTwoEpochsAreExecuted(t *testing.T) {
	for mode, points := range map[string][]string{
		"strict": {crashpoint.Beside, crashpoint.EpochBegin, crashpoint.Executed, crashpoint.BeforeLeader, crashpoint.LeaderCommit},
		"split":  {crashpoint.Beside, crashpoint.Executed, crashpoint.Barrier, crashpoint.FollowerCommit, crashpoint.BeforeLeader, crashpoint.LeaderCommit},
	} {
		t.Run(mode, func(t *testing.T) {
			s := seed(t)
			r, load := beginFull(t, mode, s)
			for _, point := range points {
				for _, count := range []int{1, 4, 9} {
					time.Sleep(300 * time.Millisecond) // A backlog, so that epochs are full.
					killAt(t, r, point, count)
				}
			}
			r.killAtRandom(t, rand.New(rand.NewPCG(s, 1)), 15)
			load.Stop()
			finish(t, r)
		})
	}
}

// The reply to the COMMIT of an epoch is lost while the next one is executed, and one may be executed beside that.
func TestLostReplyWhileTwoEpochsAreExecuted(t *testing.T) {
	for _, c := range []struct{ mode, point string }{
		{"strict", crashpoint.BeforeLeader}, {"strict", crashpoint.Beside}, {"split", crashpoint.Barrier}, {"split", crashpoint.FollowerCommit}, {"split", crashpoint.BeforeLeader},
	} {
		t.Run(c.mode+" "+c.point, func(t *testing.T) {
			r, load := beginFull(t, c.mode, seed(t))
			time.Sleep(time.Second)
			held := filepath.Join(r.Dir, "held")
			d := r.Start(t, Normal, "BINSEAL_PAUSE_AT="+c.point+":5", "BINSEAL_PAUSE_FILE="+held)
			awaitFile(t, held, d)
			r.TargetProxy.SwallowReplies()
			must(t, os.Remove(held))
			time.Sleep(200 * time.Millisecond)
			r.TargetProxy.Flow() // Before the cut: a connection opened between the two would wait for a greeting that was swallowed.
			r.TargetProxy.Cut(0)
			load.Stop()
			r.AwaitCaughtUp(t, d, time.Minute)
			r.Equal(t)
			d.Stop(t)
		})
	}
}

// Invariant 3 with two epochs under way: their commits keep the source's order, so that the target has no number without
// those before it, nor one without its twin.
func TestStrictReadsSeeNoGapWhileTwoEpochsAreExecuted(t *testing.T) {
	r, load := beginFull(t, "strict", seed(t))
	time.Sleep(2 * time.Second)
	d := r.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	reads, seen := 0, map[string]bool{}
	for begun := time.Now(); time.Since(begun) < 3*time.Second; reads++ {
		if r.Target.QueryT(t, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='shop' AND table_name='twins'")[0][0] == "0" {
			continue
		}
		row := r.Target.QueryT(t, "SELECT COUNT(*), COALESCE(MAX(id),0), (SELECT COUNT(*) FROM shop.twins), SUM(n) FROM shop.numbers")[0]
		if row[0] != row[1] || row[0] != row[2] || row[0] != "0" && row[3] != row[0] {
			t.Fatalf("read %d: %s numbers up to %s, %s twins, %s updates", reads, row[0], row[1], row[2], row[3])
		}
		seen[row[0]] = true
	}
	load.Stop()
	if len(seen) < 20 {
		t.Errorf("the reads saw only %d different states: too few to prove anything", len(seen))
	}
	r.AwaitCaughtUp(t, d, time.Minute)
	r.Equal(t)
	d.Stop(t)
}
