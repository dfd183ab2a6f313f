package chaos

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// pair is a rig with a second server that may take the source's place, behind the same address and CA.
type pair struct {
	*Rig
	a, b *testmysql.Server
}

// newPair starts the servers and a stream whose schema has come through; the daemon is stopped again.
func newPair(t *testing.T, mode string, extra ...string) *pair {
	t.Helper()
	return newPairOf(t, testmysql.SourceOptions(), mode, extra...)
}

// newPairOf does it with servers of another kind; extra are flags of the second.
func newPairOf(t *testing.T, o testmysql.Options, mode string, extra ...string) *pair {
	t.Helper()
	o.CA, o.BinlogEncryption = newCA(t, "sources"), false
	a := testmysql.StartT(t, o)
	o.ServerID, o.Name, o.Extra = 102, "second", extra
	b := testmysql.StartT(t, o)
	p := &pair{Rig: NewRig(t, Options{Mode: mode, Seed: seed(t), Source: a}), a: a, b: b}
	p.carrySchema(t)
	return p
}

// follow makes b a replica of a, as the operator's own failover would have it.
func (p *pair) follow(t *testing.T) {
	t.Helper()
	p.b.Exec(t, fmt.Sprintf(`CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='repl', SOURCE_PASSWORD='%s',
		SOURCE_SSL=1, SOURCE_SSL_CA='%s', SOURCE_SSL_VERIFY_SERVER_CERT=1, SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1`, p.a.Port, password, p.a.CAFile), "START REPLICA")
}

// awaitOnB waits until b has executed a set.
func (p *pair) awaitOnB(t *testing.T, gtids string) {
	t.Helper()
	if got := p.b.QueryT(t, fmt.Sprintf("SELECT WAIT_FOR_EXECUTED_GTID_SET('%s', 60)", gtids))[0][0]; got != "0" {
		status := p.b.QueryT(t, "SHOW REPLICA STATUS")
		t.Fatalf("b does not come to %s: %s, %v", gtids, got, status)
	}
}

func executed(t *testing.T, s *testmysql.Server) string {
	t.Helper()
	return strings.ReplaceAll(s.QueryT(t, "SELECT @@GLOBAL.gtid_executed")[0][0], "\n", "")
}

// fail ends a, and the source's address leads to b from now on.
func (p *pair) fail() {
	p.a.Kill()
	p.leadToB()
}

func (p *pair) leadToB() {
	p.Source = p.b
	p.SourceProxy.SetUpstream(p.b.Addr)
	p.SourceProxy.Cut(faultproxy.RST)
	p.SourceProxy.Flow()
}

// awaitHalt waits for a halt with a code.
func awaitHalt(t *testing.T, d *Daemon, code string) stream.Status {
	t.Helper()
	st := d.Await(t, 30*time.Second, "halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
	if st.Problem.Code != code || st.Problem.Where == "" || st.Problem.Next == "" {
		t.Fatalf("halted with %+v, want %s", st.Problem, code)
	}
	t.Logf("%s: %s: %s; %s", st.Problem.Code, st.Problem.Where, st.Problem.What, st.Problem.Next)
	return st
}

func targetDigest(t *testing.T, r *Rig) map[string]string {
	t.Helper()
	sums, err := r.Target.Digest(context.WithoutCancel(t.Context()), "shop")
	must(t, err)
	return sums
}

// A replica of the source is promoted while the stream runs under load. Nothing is lost or doubled, and the lag clock
// is about the new server from then on, also while that is idle.
func TestSourceSwitchesToItsReplica(t *testing.T) {
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			p := newPair(t, mode)
			p.follow(t)
			d := p.Start(t, Normal)
			load := p.StartLoad(t, 4, Pace(8*time.Millisecond), true)
			time.Sleep(2 * time.Second)
			p.SourceProxy.Stall() // What the target has, b must have: as with semi-synchronous replication.
			time.Sleep(300 * time.Millisecond)
			p.awaitOnB(t, executed(t, p.a))
			p.fail()
			load.Stop()
			p.b.Exec(t, "STOP REPLICA", "RESET REPLICA ALL")
			uuid := p.b.QueryT(t, "SELECT @@server_uuid")[0][0]
			st := d.Await(t, 30*time.Second, "caught up with b", func(st stream.Status) bool { return st.Lag.CaughtUp && st.Source.ServerUUID == uuid })
			if st.Totals.SourceSwitches != 1 || st.Lag.ServerUUID != uuid || !strings.Contains(d.Log(), "source switched") {
				t.Errorf("%d switches, lag of %s\n%s", st.Totals.SourceSwitches, st.Lag.ServerUUID, tail(d.Log()))
			}
			more := p.StartLoad(t, 4, Pace(8*time.Millisecond), true)
			time.Sleep(time.Second)
			d.Kill() // The record names b and its positions now.
			d = p.Start(t, Normal)
			time.Sleep(time.Second)
			more.Stop()
			p.AwaitCaughtUp(t, d, time.Minute)
			p.Equal(t)
			if st, err := d.Status(t.Context()); err != nil || st.Totals.SourceSwitches != 0 || st.Checkpt.Source.ServerUUID != uuid || st.Checkpt.Pos.File == "" {
				t.Errorf("%v: %d switches after a restart, checkpoint %+v", err, st.Totals.SourceSwitches, st.Checkpt)
			}
			d.Stop(t)
		})
	}
}

// An epoch was half done when the source failed, and its replica has other transactions in the middle of the epoch's:
// the recovery reads until the whole epoch has come, in whatever order, and goes on.
func TestSwitchInAHalfDoneEpoch(t *testing.T) {
	p := newPair(t, "split", "--replica-parallel-workers=8", "--replica-preserve-commit-order=OFF")
	p.follow(t)
	p.awaitOnB(t, executed(t, p.a))
	hold, err := p.b.DB().Conn(t.Context()) // The first transaction of the epoch comes last on b.
	must(t, err)
	_, err = hold.ExecContext(t.Context(), "BEGIN; SELECT * FROM shop.seats WHERE id=1 FOR UPDATE")
	must(t, err)
	p.a.Exec(t, "UPDATE shop.seats SET holder='first' WHERE id=1")
	for i := range 30 {
		p.a.Exec(t, fmt.Sprintf("INSERT INTO shop.parts VALUES (%d,1,'half'),(%d,2,'done')", i, i), fmt.Sprintf("UPDATE shop.accounts SET balance=balance+1 WHERE id=%d", i))
	}
	killAt(t, p.Rig, crashpoint.FollowerCommit, 1)
	for i := range 30 { // Behind the epoch on a, within it on b, which lets nothing pass that depends on a transaction behind the held one.
		p.a.Exec(t, fmt.Sprintf("UPDATE shop.seats SET holder='later' WHERE id=%d", i+2), fmt.Sprintf("INSERT INTO shop.names VALUES ('n%d',%d)", i, i))
	}
	deadline := time.Now().Add(time.Minute)
	for p.b.QueryT(t, "SELECT COUNT(*) FROM shop.names WHERE name='n29'")[0][0] != "1" {
		if time.Now().After(deadline) {
			t.Fatalf("b does not go past the locked row: %v", p.b.QueryT(t, "SHOW REPLICA STATUS"))
		}
		time.Sleep(20 * time.Millisecond)
	}
	_, err = hold.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
	must(t, hold.Close())
	p.awaitOnB(t, executed(t, p.a))
	p.fail()
	p.b.Exec(t, "STOP REPLICA", "RESET REPLICA ALL", "INSERT INTO shop.names VALUES ('from b', 1)")
	d := p.Start(t, Normal)
	p.AwaitCaughtUp(t, d, time.Minute)
	p.Equal(t)
	for _, want := range []string{"finishing a half-done epoch", "source switched"} {
		if !strings.Contains(d.Log(), want) {
			t.Errorf("the log does not say %q\n%s", want, tail(d.Log()))
		}
	}
	d.Stop(t)
}

// A replica that has not executed all that the target has is refused. Once it has, the stream goes on.
func TestReplicaThatLagsIsRefused(t *testing.T) {
	p := newPair(t, "auto")
	p.follow(t)
	p.awaitOnB(t, executed(t, p.a))
	p.b.Exec(t, "STOP REPLICA SQL_THREAD")
	d := p.Start(t, Normal)
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (1),(2)", "UPDATE shop.orders SET n=n+1")
	p.AwaitCaughtUp(t, d, 20*time.Second)
	p.Equal(t)
	all := executed(t, p.a)
	p.b.QueryT(t, "SELECT SLEEP(1)") // Its receiver thread gets the rest.
	before := targetDigest(t, p.Rig)
	p.fail()
	awaitHalt(t, d, "BS-SOURCE-BEHIND")
	if diff := cmp.Diff(before, targetDigest(t, p.Rig)); diff != "" {
		t.Error(diff)
	}
	d.Kill()
	p.b.Exec(t, "START REPLICA SQL_THREAD")
	p.awaitOnB(t, all)
	p.b.Exec(t, "STOP REPLICA", "RESET REPLICA ALL", "INSERT INTO shop.orders (n) VALUES (3)")
	d = p.Start(t, Normal)
	p.AwaitCaughtUp(t, d, 20*time.Second)
	p.Equal(t)
	d.Stop(t)
}

// Hazard S9: a server that was set up anew has transactions of the same names, and more of them than the checkpoint;
// the source's own check lets such a reader in, and the rows that it misses are lost without a word.
func TestServerOfAnotherHistoryIsRefused(t *testing.T) {
	p := newPair(t, "auto")
	d := p.Start(t, Normal)
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (1),(2)")
	p.AwaitCaughtUp(t, d, 20*time.Second)
	before := targetDigest(t, p.Rig)
	must(t, p.b.CreateReplicationUser(t.Context(), "repl", password))
	p.b.Exec(t, schemaSQL...)
	conn, err := p.b.DB().Conn(t.Context())
	must(t, err)
	defer conn.Close()
	uuid, last := p.a.QueryT(t, "SELECT @@server_uuid")[0][0], lastNumber(t, executed(t, p.a))
	for n := 1; n <= last+20; n++ {
		_, err := conn.ExecContext(t.Context(), fmt.Sprintf("SET GTID_NEXT='%s:%d'; INSERT INTO shop.turn VALUES (%d, 0); SET GTID_NEXT='AUTOMATIC'", uuid, n, n))
		must(t, err)
	}
	p.refusesB(t, d, "BS-SOURCE-CHANGED", before)
	d.Kill()
	p.backToA(t)
}

// refusesB leads the stream to b, which is to be refused by a code for its other history, with nothing of it on the target.
func (p *pair) refusesB(t *testing.T, d *Daemon, code string, before map[string]string) {
	t.Helper()
	p.leadToB()
	st := awaitHalt(t, d, code)
	if !strings.Contains(st.Problem.What, "another one") {
		t.Errorf("says %q", st.Problem.What)
	}
	if diff := cmp.Diff(before, targetDigest(t, p.Rig)); diff != "" {
		t.Error(diff)
	}
}

// backToA is the operator's step behind it: the former source. Nothing was lost.
func (p *pair) backToA(t *testing.T) {
	t.Helper()
	p.Source = p.a
	p.SourceProxy.SetUpstream(p.a.Addr)
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (3)")
	d := p.Start(t, Normal)
	p.AwaitCaughtUp(t, d, 20*time.Second)
	p.Equal(t)
	d.Stop(t)
}

func lastNumber(t *testing.T, set string) int {
	t.Helper()
	var n int
	_, err := fmt.Sscan(set[strings.LastIndexAny(set, ":-")+1:], &n)
	must(t, err)
	return n
}

// The same server, with the same server_uuid, is restored from an older backup, and new transactions get the numbers
// of those that are lost.
func TestServerRestoredFromABackupIsRefused(t *testing.T) {
	p := newPair(t, "auto")
	must(t, p.a.Stop(t.Context()))
	backup := t.TempDir()
	must(t, os.RemoveAll(backup))
	must(t, os.CopyFS(backup, os.DirFS(p.a.DataDir)))
	must(t, p.a.Restart(t.Context()))
	d := p.Start(t, Normal)
	shared := executed(t, p.a)
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (1)", "INSERT INTO shop.orders (n) VALUES (2)")
	p.AwaitCaughtUp(t, d, 20*time.Second)
	before := targetDigest(t, p.Rig)
	p.SourceProxy.Refuse(true) // As a firewall would, while the server is restored.
	must(t, p.a.Stop(t.Context()))
	must(t, os.RemoveAll(p.a.DataDir))
	must(t, os.CopyFS(p.a.DataDir, os.DirFS(backup)))
	must(t, p.a.Restart(t.Context()))
	for range 5 {
		p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (7)")
	}
	p.SourceProxy.Refuse(false)
	awaitHalt(t, d, "BS-SOURCE-CHANGED")
	if diff := cmp.Diff(before, targetDigest(t, p.Rig)); diff != "" {
		t.Error(diff)
	}
	d.Kill()
	p.Target.Exec(t, "DELETE FROM shop.orders WHERE n IN (1,2)") // The operator undoes what the backup did not have, and says so.
	if code, out := p.Command(t.Context(), t, "position", "set", "--loaded", "--gtid", shared); code != 0 {
		t.Fatalf("position set: code %d\n%s", code, out)
	}
	d = p.Start(t, Normal)
	p.AwaitCaughtUp(t, d, 20*time.Second)
	p.Equal(t)
	d.Stop(t)
}
