package checkpoint

import (
	"context"
	"fmt"
	"hash/crc32"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/tlsconf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a target and a way to open sessions on it.
type rig struct {
	server *testmysql.Server
	target *mysqlconn.Endpoint
}

func newRig(t *testing.T) *rig {
	t.Helper()
	s := testmysql.StartT(t, testmysql.TargetOptions())
	if err := s.CreateApplierUser(t.Context(), "applier", "pw", "shop"); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)")
	return &rig{server: s, target: endpoint(t, s, s.Addr)}
}

func endpoint(t *testing.T, s *testmysql.Server, addr string) *mysqlconn.Endpoint {
	t.Helper()
	client, err := tlsconf.New("target", tlsconf.Config{CA: s.CAFile})
	if err != nil {
		t.Fatal(err)
	}
	return &mysqlconn.Endpoint{Leg: "target", Addr: addr, User: "applier", TLS: client,
		Password: func(context.Context, ...mysqlconn.Secret) (mysqlconn.Secret, error) { return "pw", nil }}
}

// open makes a session with the settings that the applier gives its own.
func open(t *testing.T, e *mysqlconn.Endpoint) *mysqlconn.Session {
	t.Helper()
	s, err := e.Open(t.Context(), mysqlconn.SessionOptions{Init: mysqlconn.TargetInit(5*time.Second, 10*time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func options(stream string) Options {
	return Options{Stream: stream, Sessions: 2, Hash: strings.Repeat("ab", 32), Logger: slog.New(slog.DiscardHandler)}
}

func take(t *testing.T, s *mysqlconn.Session, stream string, owners *Owners) (*Claim, State) {
	t.Helper()
	c, st, err := Take(t.Context(), s, options(stream), owners)
	if err != nil {
		t.Fatal(err)
	}
	return c, st
}

// execute sends statements in one packet and gives the matched rows of the last.
func execute(t *testing.T, s *mysqlconn.Session, statements ...string) int64 {
	t.Helper()
	counts, err := s.Exec(t.Context(), strings.Join(statements, "; "))
	if err != nil {
		t.Fatal(err)
	}
	return counts[len(counts)-1]
}

func mark(t *testing.T, c *Claim, session int, epoch uint64) string {
	t.Helper()
	sql, err := c.Mark(session, epoch, Record{Checkpoint: at(10 * epoch)})
	if err != nil {
		t.Fatal(err)
	}
	return sql
}

func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	f := change.FaultOf(err)
	if f == nil || f.Code != code || f.Class != change.ClassPerson {
		t.Fatalf("got %v, want %s", err, code)
	}
}

// TestClaim runs on one server, a stream per case.
func TestClaim(t *testing.T) {
	r := newRig(t)
	for name, test := range map[string]func(*testing.T, *rig, string){
		"a new stream is claimed, recorded, and claimed again":              claimTwice,
		"a mark matches once and only under its own claim":                  markCounts,
		"an old owner is fenced off by the first statement it sends":        fenceOldOwner,
		"a process that lost its place stops and leaves the other alone":    loserStops,
		"a process that has never held the stream may try again":            firstAttemptFails,
		"an old owner's open transaction is ended within seconds":           endOpenTransaction,
		"two daemons claim a new stream at the same time":                   claimAtOnce,
		"the reply to the claim's COMMIT is lost":                           loseReplyOfCommit,
		"a DDL session of an old owner is ended, and a late one refused":    guardStatement,
		"another stream's sessions and rows are left alone":                 otherStream,
		"a record that cannot be read halts":                                corruptRecord,
		"fewer and then more sessions":                                      changeSessions,
		"an old owner's registrations are forgotten, the new one's are not": forgetRegistrations,
		"a checkpoint that a person moves counts":                           moveStopped,
		"nobody moves the checkpoint of a running daemon":                   moveRunning,
		"a target that was loaded again gets a new record":                  moveLoaded,
	} {
		t.Run(name, func(t *testing.T) { test(t, r, fmt.Sprintf("s%08x", crc32.ChecksumIEEE([]byte(name)))) })
	}
}

func claimTwice(t *testing.T, r *rig, stream string) {
	s := open(t, r.target)
	var owners Owners
	first, st := take(t, s, stream, &owners)
	if !st.Fresh {
		t.Fatalf("a new stream: %+v", st)
	}
	rows := r.server.QueryT(t, "SELECT session, owner, epoch, protocol FROM binseal.progress WHERE stream=? ORDER BY session", stream)
	want := [][]string{}
	for i := range 4 {
		want = append(want, []string{fmt.Sprint(i), first.Owner, "0", fmt.Sprint(Protocol)})
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	if _, st = take(t, s, stream, &owners); !st.Fresh {
		t.Fatalf("claimed, and nothing recorded: %+v", st)
	}
	second, _ := take(t, s, stream, &owners)
	execute(t, s, "START TRANSACTION", mark(t, second, 1, 1))
	execute(t, s, "COMMIT")
	third, st := take(t, s, stream, &owners)
	if diff := cmp.Diff(State{Checkpoint: *at(10), Epoch: 1}, st); diff != "" {
		t.Error(diff)
	}
	if third.Owner == second.Owner || len(third.Owner) != 32 {
		t.Errorf("owners %q and %q", second.Owner, third.Owner)
	}
	execute(t, s, "START TRANSACTION", mark(t, third, 0, 2))
	execute(t, s, "COMMIT")
	if _, st = take(t, s, stream, &owners); st.Epoch != 2 {
		t.Errorf("epoch %d, want 2", st.Epoch)
	}
}

func markCounts(t *testing.T, r *rig, stream string) {
	s := open(t, r.target)
	c, _ := take(t, s, stream, &Owners{})
	if n := execute(t, s, "START TRANSACTION", mark(t, c, 1, 1)); n != 1 || c.Fenced(n) != nil {
		t.Fatalf("the first mark matches %d", n)
	}
	remark, err := c.Remark(1, 1, Record{Checkpoint: at(77)})
	if err != nil {
		t.Fatal(err)
	}
	if n := execute(t, s, remark); n != 1 {
		t.Fatalf("the second record of an oversized transaction matches %d", n)
	}
	if n := execute(t, s, remark); n != 1 {
		t.Fatalf("the same record once more matches %d: matched rows count, not changed ones", n)
	}
	wrong, err := c.Remark(1, 2, Record{Checkpoint: at(77)})
	if err != nil {
		t.Fatal(err)
	}
	if n := execute(t, s, wrong); n != 0 {
		t.Fatalf("a record of another epoch matches %d", n)
	}
	execute(t, s, "COMMIT")
	if n := execute(t, s, mark(t, c, 1, 1)); n != 0 {
		t.Fatalf("the same epoch again matches %d: it would be applied twice (invariant 2)", n)
	}
	wantFault(t, c.Fenced(0), "BS-FENCED")
	wantFault(t, c.Fenced(2), "BS-FENCED")
	c.Committed(1, 1)
	if n := execute(t, s, mark(t, c, 1, 3)); n != 1 {
		t.Fatalf("the session's next epoch matches %d", n)
	}
}

func fenceOldOwner(t *testing.T, r *rig, stream string) {
	s, other := open(t, r.target), open(t, r.target)
	old, _ := take(t, s, stream, &Owners{})
	if err := old.Held(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	take(t, other, stream, &Owners{}) // Another process.
	wantFault(t, old.Held(t.Context(), s), "BS-FENCED")
	for session := range 4 {
		if n := execute(t, s, "START TRANSACTION", mark(t, old, session, 1)); n != 0 {
			t.Fatalf("session %d still matches %d (invariant 4)", session, n)
		}
		execute(t, s, "ROLLBACK")
	}
}

func loserStops(t *testing.T, r *rig, stream string) {
	s, other, work := open(t, r.target), open(t, r.target), open(t, r.target)
	var owners Owners
	take(t, s, stream, &owners)
	winner, _ := take(t, other, stream, &Owners{})
	if err := winner.Register(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	_, _, err := Take(t.Context(), s, options(stream), &owners)
	wantFault(t, err, "BS-FENCED")
	_, _, err = Take(t.Context(), s, options(stream), &owners) // And it stays stopped.
	wantFault(t, err, "BS-FENCED")
	if n := execute(t, work, "START TRANSACTION", mark(t, winner, 1, 1)); n != 1 {
		t.Fatalf("the winner's mark matches %d", n)
	}
	execute(t, work, "COMMIT")
}

// firstAttemptFails: a standby daemon loses its connection while it takes the stream over. It has held nothing, so
// it does not count as having lost its place.
func firstAttemptFails(t *testing.T, r *rig, stream string) {
	holder, standby := open(t, r.target), open(t, r.target)
	old, _ := take(t, holder, stream, &Owners{})
	execute(t, holder, "START TRANSACTION", mark(t, old, 1, 1)) // Not registered: the standby has to wait.
	var owners Owners
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := Take(ctx, standby, options(stream), &owners); err == nil {
		t.Fatal("claimed while the old owner holds its rows")
	}
	execute(t, holder, "COMMIT")
	if _, st := take(t, open(t, r.target), stream, &owners); st.Epoch != 1 {
		t.Errorf("epoch %d: what the old owner committed is not seen", st.Epoch)
	}
}

// endOpenTransaction: the old owner is alive but silent, as one behind a broken network. Its row lock on the progress
// row goes with the KILL, not with its wait_timeout.
func endOpenTransaction(t *testing.T, r *rig, stream string) {
	s, work, other := open(t, r.target), open(t, r.target), open(t, r.target)
	old, _ := take(t, s, stream, &Owners{})
	if err := old.Register(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	execute(t, work, "START TRANSACTION", mark(t, old, 1, 1), "INSERT INTO shop.t VALUES (1)")
	begun := time.Now()
	_, st := take(t, other, stream, &Owners{})
	took := time.Since(begun)
	t.Logf("taken over in %s", took)
	if took > 3*time.Second {
		t.Errorf("the take-over took %s", took)
	}
	if !st.Fresh {
		t.Errorf("the old owner's transaction is there: %+v", st)
	}
	if _, err := work.Exec(t.Context(), "COMMIT"); err == nil {
		t.Error("the old owner's session still commits (invariant 4)")
	}
	if rows := r.server.QueryT(t, "SELECT * FROM shop.t WHERE id=1"); len(rows) != 0 { // Others are of other cases.
		t.Errorf("rows of the old owner: %v", rows)
	}
}

func claimAtOnce(t *testing.T, r *rig, stream string) {
	for round := range 5 {
		stream := fmt.Sprint(stream, "_", round)
		var group sync.WaitGroup
		claims := make([]*Claim, 4)
		for i := range claims {
			s := open(t, r.target)
			group.Go(func() {
				var owners Owners
				for range 20 { // As the run loop does.
					c, _, err := Take(t.Context(), s, options(stream), &owners)
					if err == nil {
						claims[i] = c
						return
					}
					if change.FaultOf(err) != nil {
						return
					}
				}
			})
		}
		group.Wait()
		s := open(t, r.target)
		var winners int64
		for _, c := range claims {
			if c == nil {
				continue
			}
			winners += execute(t, s, mark(t, c, 0, 1)) // The old epoch is 0 for all: only the owner may go on.
		}
		if winners != 1 {
			t.Fatalf("round %d: %d claims can commit", round, winners)
		}
	}
}

func loseReplyOfCommit(t *testing.T, r *rig, stream string) {
	proxy, err := faultproxy.New(r.server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = proxy.Close() }()
	var owners Owners
	take(t, open(t, r.target), stream, &owners)
	through := open(t, endpoint(t, r.server, proxy.Addr()))

	// A row lock holds the claim just before its COMMIT; then replies get lost.
	holder := open(t, r.target)
	execute(t, holder, "START TRANSACTION", "SELECT 1 FROM binseal.progress WHERE stream="+quote(stream)+" FOR UPDATE")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, _, err := Take(ctx, through, options(stream), &owners)
		failed <- err
	}()
	before := r.server.QueryT(t, "SELECT owner FROM binseal.progress WHERE stream=? AND session=0", stream)
	time.Sleep(200 * time.Millisecond) // It waits for the lock now.
	execute(t, holder, "ROLLBACK")
	swallowed := false
	for range 2000 { // Lose replies as soon as the claim's COMMIT can be seen.
		if now := r.server.QueryT(t, "SELECT owner FROM binseal.progress WHERE stream=? AND session=0", stream); now[0][0] != before[0][0] {
			proxy.SwallowReplies()
			swallowed = true
			break
		}
	}
	if !swallowed {
		t.Fatal("the claim has not come to its COMMIT")
	}
	time.Sleep(50 * time.Millisecond)
	cancel()
	proxy.Cut(faultproxy.RST)
	err = <-failed
	t.Logf("the claim whose reply may be lost: %v", err)
	if _, st := take(t, open(t, r.target), stream, &owners); !st.Fresh {
		t.Errorf("%+v", st)
	}
}

func guardStatement(t *testing.T, r *rig, stream string) {
	s, ddl, late, other := open(t, r.target), open(t, r.target), open(t, r.target), open(t, r.target)
	old, _ := take(t, s, stream, &Owners{})
	if err := old.GuardStatement(t.Context(), ddl); err != nil {
		t.Fatal(err)
	}
	// Not registered, and inside a statement: only the lock tells of it.
	slept := make(chan error, 1)
	go func() {
		_, err := ddl.Exec(t.Context(), "SELECT SLEEP(60)")
		slept <- err
	}()
	begun := time.Now()
	now, _ := take(t, other, stream, &Owners{})
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("the take-over took %s", took)
	}
	if err := <-slept; err == nil {
		t.Error("the old owner's statement has run to its end")
	}
	wantFault(t, old.GuardStatement(t.Context(), late), "BS-FENCED")
	_ = late.Close() // It holds the lock until it ends.
	if err := now.GuardStatement(t.Context(), open(t, r.target)); err != nil {
		t.Errorf("the new owner's own statement: %v", err)
	}
}

func otherStream(t *testing.T, r *rig, stream string) {
	s, work := open(t, r.target), open(t, r.target)
	neighbour, _ := take(t, s, stream+"_neighbour", &Owners{})
	if err := neighbour.Register(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	execute(t, work, "START TRANSACTION", mark(t, neighbour, 1, 1))
	take(t, open(t, r.target), stream, &Owners{})
	if n := execute(t, work, mark(t, neighbour, 0, 1)); n != 1 {
		t.Errorf("the neighbour's mark matches %d", n)
	}
	execute(t, work, "COMMIT")
}

func corruptRecord(t *testing.T, r *rig, stream string) {
	s := open(t, r.target)
	take(t, s, stream, &Owners{})
	r.server.Exec(t, "UPDATE binseal.progress SET record='{\"checkpoint\":' WHERE session=1 AND stream="+quote(stream))
	_, _, err := Take(t.Context(), s, options(stream), &Owners{})
	wantFault(t, err, "BS-PROGRESS-CORRUPT")
	r.server.Exec(t, "DELETE FROM binseal.progress WHERE session=1 AND stream="+quote(stream))
	_, _, err = Take(t.Context(), s, options(stream), &Owners{})
	wantFault(t, err, "BS-PROGRESS-CORRUPT")
	if rows := r.server.QueryT(t, "SELECT COUNT(*) FROM binseal.progress WHERE stream=?", stream); rows[0][0] != "3" {
		t.Errorf("a claim that halts has changed the rows: %v", rows)
	}
}

func changeSessions(t *testing.T, r *rig, stream string) {
	s := open(t, r.target)
	o := options(stream)
	for _, n := range []int{5, 1, 7} {
		o.Sessions = n
		c, _, err := Take(t.Context(), s, o, &Owners{})
		if err != nil {
			t.Fatal(err)
		}
		if n := execute(t, s, "START TRANSACTION", mark(t, c, n+1, 1)); n != 1 {
			t.Errorf("the last of the sessions matches %d", n)
		}
		execute(t, s, "ROLLBACK")
	}
}

func forgetRegistrations(t *testing.T, r *rig, stream string) {
	s := open(t, r.target)
	var owners Owners
	for range 3 {
		c, _ := take(t, s, stream, &owners)
		for range 2 {
			if err := c.Register(t.Context(), open(t, r.target)); err != nil {
				t.Fatal(err)
			}
		}
		got := r.server.QueryT(t, "SELECT owner FROM binseal.session WHERE stream=?", stream)
		if !slices.EqualFunc(got, [][]string{{c.Owner}, {c.Owner}}, slices.Equal) {
			t.Fatalf("registered: %v", got)
		}
	}
}

// A target whose SQL is not written gets no control table: the session, which has no connection, is not asked.
func TestAMariaDBIsNoTarget(t *testing.T) {
	_, _, err := Take(t.Context(), &mysqlconn.Session{Leg: "target", MariaDB: true, Version: "11.4.2-MariaDB"}, Options{Stream: "s"}, &Owners{})
	if f := change.FaultOf(err); f == nil || f.Code != "BS-TARGET-UNSUPPORTED" || f.Class != change.ClassEnvironment || !strings.Contains(f.What, "11.4.2") {
		t.Errorf("got %v", err)
	}
}
