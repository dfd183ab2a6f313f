package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
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
			r.killWithXA(t, 12)
			r.decidedWhileDown(t)
		})
	}
}

// From MariaDB the position goes past what is undecided, so by GTID too the log is read again from before it: split by
// GTID in two domains, then strictly by file and position.
func TestRandomKillsWithXAFromMariaDB(t *testing.T) {
	s := seed(t)
	r := NewRig(t, Options{Mode: "split", Seed: s, Source: testmysql.StartT(t, testmysql.MariaDBSourceOptions())})
	r.carrySchema(t)
	run := func(kills int) {
		t.Helper()
		second := r.startClients(t, clients{n: 1, draws: 1 << 34, pace: Pace(10 * time.Millisecond), work: inAnotherDomain})
		r.killWithXA(t, kills)
		second.Stop()
		r.decidedWhileDown(t)
	}
	run(10)
	r.Source.Exec(t, "DELETE FROM shop.events WHERE kind=77")
	finish(t, r)
	file, pos, _, err := r.Source.LogEnd(t.Context())
	must(t, err)
	r.Mode, r.Name, r.Extra = "strict", "by-position", fmt.Sprintf("start: {file: %s, pos: %d}\n", file, pos)
	run(6)
}

// killWithXA kills daemons at random under a load of XA and plain transactions, over rotated files.
func (r *Rig) killWithXA(t *testing.T, kills int) {
	t.Helper()
	xa, load := r.startXA(t, 5, Pace(5*time.Millisecond)), r.StartLoad(t, 2, Pace(8*time.Millisecond), true)
	rnd := rand.New(rand.NewPCG(r.Seed, 3))
	prepared := 0
	for n := range kills {
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
	_, err = c.ExecContext(t.Context(), "XA COMMIT 'left'") // MariaDB has it from the session that prepared it.
	must(t, err)
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

// On MariaDB a position stands for all numbers up to it, so only the next transaction of a domain can be skipped. An XA
// PREPARE whose outcome the source did not log is in the position already, and is skipped out of what is undecided.
func TestSkipFromMariaDB(t *testing.T) {
	w := &wayOut{Rig: NewRig(t, Options{Mode: "strict", Source: testmysql.StartT(t, testmysql.MariaDBSourceOptions())})}
	d := w.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	w.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.w (id INT PRIMARY KEY, v INT)")
	insert := func(id int) { t.Helper(); w.Source.Exec(t, fmt.Sprintf("INSERT INTO shop.w VALUES (%d,1)", id)) }
	insert(1)
	w.Source.Exec(t, "SET binlog_format=STATEMENT; UPDATE shop.w SET v=v+1; SET binlog_format=ROW", "SET gtid_domain_id=7; INSERT INTO shop.w VALUES (70,1); SET gtid_domain_id=0")
	insert(2)
	insert(3)
	st := awaitHalt(t, d, "BS-DML-STATEMENT")
	stopHalted(t, d)
	last := w.Source.QueryT(t, "SELECT REGEXP_SUBSTR(@@GLOBAL.gtid_binlog_pos, '0-101-[0-9]+')")[0][0]
	code, out := w.Command(t.Context(), t, "position", "skip", "--gtid", last)
	if code != int(change.ClassConfig) || !strings.Contains(out, "BS-POSITION-REFUSED") {
		t.Fatalf("a skip that takes others along: exit code %d\n%s", code, out)
	}
	w.Target.Exec(t, "UPDATE shop.w SET v=v+1")
	w.skip(t, st)
	d = w.Start(t, Normal)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	w.Equal(t)
	w.loseXA(t)
	w.Source.Exec(t, "XA START 'x'; INSERT INTO shop.w VALUES (9,1); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x'")
	awaitHalt(t, d, "BS-XA-UNKNOWN")
	st, err := d.Status(t.Context())
	must(t, err)
	stopHalted(t, d)
	w.binseal(t, "position", "skip", "--gtid", st.Checkpt.Undecided.GTIDs)
	d = w.Start(t, Normal)
	insert(10)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	w.Equal(t)
	d.Stop(t)
}

// loseXA prepares an XA transaction in a session that ends then, and rolls it back without logging that.
func (w *wayOut) loseXA(t *testing.T) {
	t.Helper()
	db, err := sql.Open("mysql", w.Source.RootDSN())
	must(t, err)
	_, err = db.ExecContext(t.Context(), "XA START 'x'; INSERT INTO shop.w VALUES (8,1); XA END 'x'; XA PREPARE 'x'")
	must(t, err)
	must(t, db.Close())
	c, err := w.Source.DB().Conn(t.Context())
	must(t, err)
	defer func() { _ = c.Close() }()
	_, err = c.ExecContext(t.Context(), "SET sql_log_bin=0")
	must(t, err)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err = c.ExecContext(t.Context(), "XA ROLLBACK 'x'"); err == nil {
			break
		}
		if time.Now().After(end) { // Until the session has ended, it is that one's.
			t.Fatal(err)
		}
	}
	_, err = c.ExecContext(t.Context(), "SET sql_log_bin=1")
	must(t, err)
}
