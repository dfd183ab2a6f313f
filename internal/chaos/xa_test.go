package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// xaTransaction runs one XA transaction, which stays prepared for a while and is then committed or rolled back.
func xaTransaction(ctx context.Context, db *sql.DB, rnd *rand.Rand) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	id := fmt.Sprintf("'x%x','b',%d", rnd.Uint64(), rnd.IntN(9))
	end := []string{"XA COMMIT " + id, "XA ROLLBACK " + id}[rnd.IntN(4)/3]
	work := []string{"XA START " + id}
	for range 1 + rnd.IntN(3) {
		work = append(work, statements(rnd)...)
	}
	work = append(work, "XA END "+id)
	if rnd.IntN(5) == 0 {
		work, end = append(work, "XA COMMIT "+id+" ONE PHASE"), ""
	} else {
		work = append(work, "XA PREPARE "+id)
	}
	for _, q := range work {
		if _, err := c.ExecContext(ctx, q); err != nil {
			_, _ = c.ExecContext(ctx, "XA END "+id) // In this order each state of the session ends.
			_, _ = c.ExecContext(ctx, "XA ROLLBACK "+id)
			return err
		}
	}
	if end == "" {
		return nil
	}
	time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
	_, err = c.ExecContext(ctx, end)
	return err
}

// startXA starts clients that change the usual load's rows by XA transactions.
func (r *Rig) startXA(t testing.TB, n int, pace Pace) *Load {
	t.Helper()
	return r.startClients(t, clients{n: n, draws: 1 << 35, pace: pace, work: xaTransaction})
}

// A prepared XA transaction is in the log and not decided when the daemon is killed: what it changed must be on the
// target exactly when and if the source commits it, by GTID and by position, over rotated files.
func TestRandomKillsWithXA(t *testing.T) {
	for _, gtid := range []bool{true, false} {
		t.Run(fmt.Sprintf("gtid=%v", gtid), func(t *testing.T) {
			s := seed(t)
			o := testmysql.SourceOptions()
			o.GTID = gtid
			r := NewRig(t, Options{Mode: "split", Seed: s, Source: testmysql.StartT(t, o)})
			r.carrySchema(t)
			xa, load := r.startXA(t, 5, Pace(5*time.Millisecond)), r.StartLoad(t, 2, Pace(8*time.Millisecond), true)
			rnd := rand.New(rand.NewPCG(s, 3))
			prepared := 0
			for n := range 12 {
				d := r.Start(t, Normal)
				d.Wait(time.Duration(20+rnd.IntN(1200)) * time.Millisecond)
				if st, err := d.Status(t.Context()); err == nil {
					prepared = max(prepared, st.Lag.PreparedXA)
				}
				d.Kill()
				if n%4 == 0 {
					r.Source.Exec(t, "FLUSH BINARY LOGS")
				}
			}
			load.Stop()
			xa.Stop()
			t.Logf("%d XA transactions, %d failed on the source; up to %d prepared at a kill", xa.Transactions.Load(), xa.Failures.Load(), prepared)
			if xa.Transactions.Load() == 0 {
				t.Error("no XA transaction succeeded on the source")
			}
			r.decidedWhileDown(t)
		})
	}
}

// decidedWhileDown leaves one XA transaction undecided: a caught-up stream must say so, and a daemon that is killed
// then must have its rows once it has been committed.
func (r *Rig) decidedWhileDown(t *testing.T) {
	t.Helper()
	c, err := r.Source.DB().Conn(t.Context())
	must(t, err)
	defer func() { _ = c.Close() }()
	for _, q := range []string{"XA START 'left'", "INSERT INTO shop.events VALUES (77,'left')", "XA END 'left'", "XA PREPARE 'left'"} {
		_, err := c.ExecContext(t.Context(), q)
		must(t, err)
	}
	for range 2 {
		d := r.Start(t, Normal)
		r.AwaitCaughtUp(t, d, 2*time.Minute)
		d.Await(t, 20*time.Second, "caught up with one prepared", func(st stream.Status) bool { return st.Lag.CaughtUp && st.Lag.PreparedXA == 1 })
		r.Equal(t)
		d.Kill()
		r.Source.Exec(t, "FLUSH BINARY LOGS")
	}
	r.Source.Exec(t, "XA COMMIT 'left'")
	d := r.Start(t, Normal)
	r.AwaitCaughtUp(t, d, time.Minute)
	d.Await(t, 20*time.Second, "caught up with none prepared", func(st stream.Status) bool { return st.Lag.CaughtUp && st.Lag.PreparedXA == 0 })
	r.Equal(t)
	if n := r.Target.QueryT(t, "SELECT COUNT(*) FROM shop.events WHERE kind=77"); n[0][0] != "1" {
		t.Errorf("%s rows of the XA transaction on the target, want 1", n[0][0])
	}
	d.Stop(t)
}

// By position the log is read again from the oldest undecided XA transaction, and what was skipped behind it comes
// again: a statement that halts the stream, and an XA PREPARE that must not be held a second time, since its changes
// were made by hand. The skipped one is committed and skipped once more; the other one's rows come with its XA COMMIT.
func TestSkipByPositionWhileXAIsUndecided(t *testing.T) {
	o := testmysql.SourceOptions()
	o.GTID, o.Extra = false, []string{"--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"} // ON is the default of 9.7.
	w := &wayOut{Rig: NewRig(t, Options{Mode: "strict", Source: testmysql.StartT(t, o)})}
	d := w.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	w.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.w (id INT PRIMARY KEY, v INT)", "CREATE TABLE shop.keyless (id INT)")
	w.Source.Exec(t, "XA START 'kept'; INSERT INTO shop.keyless VALUES (1),(1); XA END 'kept'; XA PREPARE 'kept'")
	w.add(t)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	// Each halts, and is skipped at the place that the halt names; the daemon must come by it at the next start.
	for _, step := range []struct{ code, source, byHand string }{
		{"BS-DML-STATEMENT", "SET binlog_format=STATEMENT; UPDATE shop.w SET v=v+1; SET binlog_format=ROW", "UPDATE shop.w SET v=v+1"},
		{"BS-DML-STATEMENT", "SET binlog_format=STATEMENT; XA START 'gone'; INSERT INTO shop.keyless VALUES (2); XA END 'gone'; XA PREPARE 'gone'; SET binlog_format=ROW", "DO 0"},
		{"BS-XA-UNKNOWN", "XA COMMIT 'gone'", "INSERT INTO shop.keyless VALUES (2)"},
	} {
		w.Source.Exec(t, step.source)
		st := awaitHalt(t, d, step.code)
		stopHalted(t, d)
		w.Target.Exec(t, step.byHand)
		w.binseal(t, "position", "skip", "--at", st.Problem.Where)
		d = w.Start(t, Normal)
		w.add(t)
		w.AwaitCaughtUp(t, d, 20*time.Second)
		w.Equal(t)
	}
	w.Source.Exec(t, "XA COMMIT 'kept'")
	w.AwaitCaughtUp(t, d, 20*time.Second)
	w.Equal(t)
	d.Stop(t)
	d = w.Start(t, Normal)
	d.Await(t, 20*time.Second, "caught up with none prepared", func(st stream.Status) bool {
		return st.Lag.CaughtUp && st.Lag.PreparedXA == 0 && len(st.Checkpt.Undecided.Skipped) == 0
	})
	d.Stop(t)
}
