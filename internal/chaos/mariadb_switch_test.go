package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/stream"
)

// followMariaDB makes b a replica of a by MariaDB's own replication.
func (p *pair) followMariaDB(t *testing.T) {
	t.Helper()
	p.b.Exec(t, "RESET MASTER", fmt.Sprintf(`CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='repl', MASTER_PASSWORD='%s',
		MASTER_SSL=1, MASTER_SSL_CA='%s', MASTER_SSL_VERIFY_SERVER_CERT=1, MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1`, p.a.Port, password, p.a.CAFile), "START SLAVE")
}

// awaitMariaDBOnB waits until b has executed all that a has logged.
func (p *pair) awaitMariaDBOnB(t *testing.T) {
	t.Helper()
	end := binlogPos(t, p.a)
	if got := p.b.QueryT(t, fmt.Sprintf("SELECT MASTER_GTID_WAIT('%s', 60)", end))[0][0]; got != "0" {
		t.Fatalf("b does not come to %s: %s, %v", end, got, p.b.QueryT(t, "SHOW SLAVE STATUS"))
	}
}

func binlogPos(t *testing.T, s *testmysql.Server) string {
	t.Helper()
	return s.QueryT(t, "SELECT @@GLOBAL.gtid_binlog_pos")[0][0]
}

func mariadbIdentity(t *testing.T, s *testmysql.Server) string {
	t.Helper()
	return s.QueryT(t, mysqlconn.IdentityQuery(true))[0][0]
}

// awaitOnServer waits until the stream has caught up with a server that has taken another one's place.
func awaitOnServer(t *testing.T, d *Daemon, identity string) {
	t.Helper()
	st := d.Await(t, 30*time.Second, "caught up with the other server", func(st stream.Status) bool { return st.Lag.CaughtUp && st.Source.ServerUUID == identity })
	if st.Totals.SourceSwitches != 1 || st.Lag.ServerUUID != identity || !strings.Contains(d.Log(), "source switched") {
		t.Errorf("%d switches, lag of %s\n%s", st.Totals.SourceSwitches, st.Lag.ServerUUID, tail(d.Log()))
	}
}

// A replica is promoted while the stream runs under load in two domains, and while an XA transaction is prepared, which
// is committed on the new server. Nothing is lost or doubled.
func TestMariaDBSourceSwitchesToItsReplica(t *testing.T) {
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			p := newPairOf(t, testmysql.MariaDBSourceOptions(), mode, "--log-slave-updates=ON")
			p.followMariaDB(t)
			d := p.Start(t, Normal)
			p.a.Exec(t, "XA START 'left'; INSERT INTO shop.events VALUES (77,'left'),(77,'left'); XA END 'left'; XA PREPARE 'left'")
			load := p.StartLoad(t, 4, Pace(8*time.Millisecond), true)
			second := p.startClients(t, clients{n: 1, draws: 1 << 34, pace: Pace(10 * time.Millisecond), work: inAnotherDomain})
			time.Sleep(2 * time.Second)
			p.SourceProxy.Stall() // What the target has, b must have: as with semi-synchronous replication.
			time.Sleep(300 * time.Millisecond)
			p.awaitMariaDBOnB(t)
			p.fail()
			load.Stop()
			second.Stop()
			p.b.Exec(t, "STOP SLAVE", "RESET SLAVE ALL")
			awaitOnServer(t, d, mariadbIdentity(t, p.b))
			more := p.StartLoad(t, 4, Pace(8*time.Millisecond), true)
			time.Sleep(time.Second)
			d.Kill() // The record names b and its positions now, and the XA transaction by GTID alone.
			d = p.Start(t, Normal)
			p.b.Exec(t, "XA COMMIT 'left'")
			time.Sleep(time.Second)
			more.Stop()
			p.AwaitCaughtUp(t, d, time.Minute)
			p.Equal(t)
			if n := p.Target.QueryT(t, "SELECT COUNT(*) FROM shop.events WHERE kind=77"); n[0][0] != "2" {
				t.Errorf("%s rows of the XA transaction on the target, want 2", n[0][0])
			}
			if st, err := d.Status(t.Context()); err != nil || st.Totals.SourceSwitches != 0 || st.Lag.PreparedXA != 0 || st.Checkpt.Pos.File == "" {
				t.Errorf("%v: %d switches after a restart, checkpoint %+v", err, st.Totals.SourceSwitches, st.Checkpt)
			}
			d.Stop(t)
		})
	}
}

// A replica that has not executed all that the target has is refused. Once it has, the stream goes on.
func TestMariaDBReplicaThatLagsIsRefused(t *testing.T) {
	p := newPairOf(t, testmysql.MariaDBSourceOptions(), "auto", "--log-slave-updates=ON")
	p.followMariaDB(t)
	p.awaitMariaDBOnB(t)
	p.b.Exec(t, "STOP SLAVE SQL_THREAD")
	d := p.Start(t, Normal)
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (1),(2)", "UPDATE shop.orders SET n=n+1")
	p.AwaitCaughtUp(t, d, 20*time.Second)
	p.Equal(t)
	end := binlogPos(t, p.a)
	p.b.QueryT(t, "SELECT SLEEP(1)") // Its receiver thread gets the rest.
	p.fail()
	awaitHalt(t, d, "BS-SOURCE-BEHIND")
	d.Kill()
	p.b.Exec(t, "START SLAVE SQL_THREAD")
	if got := p.b.QueryT(t, fmt.Sprintf("SELECT MASTER_GTID_WAIT('%s', 60)", end))[0][0]; got != "0" {
		t.Fatalf("b does not come to %s", end)
	}
	p.b.Exec(t, "STOP SLAVE", "RESET SLAVE ALL", "INSERT INTO shop.orders (n) VALUES (3)")
	d = p.Start(t, Normal)
	p.AwaitCaughtUp(t, d, 20*time.Second)
	p.Equal(t)
	d.Stop(t)
}

// A server that was set up anew has transactions of the same names, of the same rows even, and more of them than the
// checkpoint. MariaDB itself would let a replica in, and the rows that it misses would be lost without a word.
func TestMariaDBServerOfAnotherHistoryIsRefused(t *testing.T) {
	p := newPairOf(t, testmysql.MariaDBSourceOptions(), "auto")
	d := p.Start(t, Normal)
	p.a.Exec(t, "INSERT INTO shop.turn VALUES (1,1)")
	p.AwaitCaughtUp(t, d, 20*time.Second)
	before := targetDigest(t, p.Rig)
	end, err := change.ParseGTIDSet(binlogPos(t, p.a))
	must(t, err)
	last := int(end.Last(0).GNO)
	time.Sleep(1100 * time.Millisecond) // MariaDB's log has whole seconds: within one, the same rows under the same name are the same transaction.
	must(t, p.b.CreateReplicationUser(t.Context(), "repl", password))
	for _, q := range schemaSQL {
		p.b.Exec(t, words[testmysql.MariaDB].Replace(q))
	}
	p.b.Exec(t, fmt.Sprintf("SET server_id=101, gtid_seq_no=%d; CREATE TABLE shop.filler (id INT)", last-1),
		"SET server_id=101; INSERT INTO shop.turn VALUES (1,1)", "SET server_id=101; INSERT INTO shop.turn VALUES (2,2)")
	if got, want := binlogPos(t, p.b), fmt.Sprintf("0-101-%d", last+1); got != want {
		t.Fatalf("b has come to %s, want %s", got, want)
	}
	p.refusesB(t, d, "BS-SOURCE-CHANGED", before)
	stopHalted(t, d)
	p.backToA(t)
}

// server_uid is a hash of the machine and the port: one server is not the same one behind another port, or in a
// container that has another address. By GTID its log proves that it is; by file and position a person must say so.
func TestMariaDBServerWithAnotherIdentityGoesOn(t *testing.T) {
	p := newPairOf(t, testmysql.MariaDBSourceOptions(), "auto")
	d := p.Start(t, Normal)
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (1)")
	p.AwaitCaughtUp(t, d, 20*time.Second)
	p.moveA(t)
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (2)")
	awaitOnServer(t, d, mariadbIdentity(t, p.a))
	p.Equal(t)
	d.Stop(t)
	file, pos, _, err := p.a.LogEnd(t.Context())
	must(t, err)
	p.Name, p.Extra = "by-position", fmt.Sprintf("start: {file: %s, pos: %d}\n", file, pos)
	d = p.Start(t, Normal)
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (3)")
	st := d.Await(t, 20*time.Second, "row 3", func(st stream.Status) bool { return st.Lag.CaughtUp && st.Lag.Applied.Pos > pos })
	p.moveA(t)
	awaitHalt(t, d, "BS-SOURCE-CHANGED")
	stopHalted(t, d)
	if code, out := p.Command(t.Context(), t, "position", "set", "--loaded", "--at", fmt.Sprintf("%s:%d", st.Lag.Applied.File, st.Lag.Applied.Pos)); code != 0 {
		t.Fatalf("position set: code %d\n%s", code, out)
	}
	p.a.Exec(t, "INSERT INTO shop.orders (n) VALUES (4)")
	file, pos, _, err = p.a.LogEnd(t.Context())
	must(t, err)
	d = p.Start(t, Normal)
	d.Await(t, 20*time.Second, "row 4", func(st stream.Status) bool { return st.Lag.Applied.File == file && st.Lag.Applied.Pos >= pos })
	p.Equal(t)
	d.Stop(t)
}

// moveA restarts a behind another port, by which its identity is another one.
func (p *pair) moveA(t *testing.T) {
	t.Helper()
	former := mariadbIdentity(t, p.a)
	_, port, _ := strings.Cut(freeAddr(t), ":")
	must(t, p.a.Restart(t.Context(), "--port="+port))
	p.SourceProxy.SetUpstream("127.0.0.1:" + port)
	if now := mariadbIdentity(t, p.a); now == former {
		t.Fatalf("the server is still %s", now)
	}
}
