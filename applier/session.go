package applier

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/mysqlconn"
)

// packetReserve is kept free of max_allowed_packet for the protocol's own bytes.
const packetReserve = 1 << 10

// session is one connection to the target and its row in the progress table. Its methods may be called from
// different goroutines, one at a time; only touch may come in between.
type session struct {
	no   int // Row in the progress table: 0 and 1 lead in turn, 2 and up follow.
	mu   sync.Mutex
	conn *mysqlconn.Session // Its statements are guarded by mu; never replaced.
	used time.Time          // When conn last answered; guarded by mu.

	pending pending // The statement under way, for endLostSessions.
}

// exec sends one packet of statements and gives the matched rows of each.
func (s *session) exec(ctx context.Context, sql string) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ask(ctx, sql)
}

// ask is exec for a caller that holds mu.
func (s *session) ask(ctx context.Context, sql string) ([]int64, error) {
	ctx, done := s.pending.send(ctx)
	defer done()
	counts, err := s.conn.Exec(ctx, sql)
	s.used = time.Now()
	return counts, lostOr(ctx, err)
}

// lostOr gives the reason why the connection was given up, if it was (see endLostSessions), else the statement's error.
func lostOr(ctx context.Context, err error) error {
	if f := change.FaultOf(context.Cause(ctx)); err != nil && f != nil {
		return f
	}
	return err
}

// touch keeps an idle session from running into its own low wait_timeout: at the commit barrier, inside an
// oversized transaction, or because the source is quiet. A failure shows at the session's next use.
func (s *session) touch(ctx context.Context) {
	if !s.mu.TryLock() {
		return // Busy is not idle.
	}
	defer s.mu.Unlock()
	if time.Since(s.used) >= keepAlive {
		_, _ = s.ask(ctx, "DO 0")
	}
}

// Sessions are the target sessions of one run, two leaders and the followers, made ahead of it.
type Sessions = mysqlconn.Ahead[[]*mysqlconn.Session]

// NewSessions are sessions on target, connected all at the same time.
func NewSessions(target *mysqlconn.Endpoint, followers int) *Sessions {
	return mysqlconn.NewAhead(func(ctx context.Context) ([]*mysqlconn.Session, error) {
		conns := make([]*mysqlconn.Session, followers+2)
		g, ctx := errgroup.WithContext(ctx)
		for i := range conns {
			g.Go(func() (err error) {
				conns[i], err = target.Open(ctx, mysqlconn.SessionOptions{Init: mysqlconn.TargetInit(waitTimeout, lockWait)})
				return err
			})
		}
		err := g.Wait()
		if err != nil {
			closeAll(conns)
		}
		return conns, err
	}, closeAll)
}

func closeAll(conns []*mysqlconn.Session) {
	for _, c := range conns {
		if c != nil {
			_ = c.Close()
		}
	}
}

// takeSessions gives the sessions their places, and registers each so that a later owner can KILL it.
func (a *Applier) takeSessions(ctx context.Context, s *Sessions) error {
	conns, err := s.Take(ctx)
	if err != nil {
		return err
	}
	for i, conn := range conns {
		s := &session{no: i, conn: conn, used: time.Now()}
		if i < len(a.leaders) {
			a.leaders[i] = s
		} else {
			a.follow = append(a.follow, s)
		}
	}
	a.maxSQL = a.leaders[0].conn.MaxAllowedPacket - packetReserve
	a.loads = a.joins && a.leaders[0].conn.LocalInfile
	g, ctx := errgroup.WithContext(ctx)
	for _, conn := range conns {
		g.Go(func() error { return a.claim.Register(ctx, conn) })
	}
	return g.Wait()
}

func (a *Applier) sessions() []*session {
	var all []*session
	for _, s := range append(append(a.leaders[:], a.follow...), a.ddl.Load()) {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

func (a *Applier) keepSessionsAlive(ctx context.Context) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, s := range a.sessions() {
				s.touch(ctx)
			}
		}
	}
}

// begin opens a target transaction with its mark: the first statement, in one packet with whatever data fits.
func (a *Applier) begin(ctx context.Context, s *session, epoch uint64, r checkpoint.Record) (*writer, error) {
	mark, err := a.claim.Mark(s.no, epoch, r)
	if err != nil {
		return nil, err
	}
	w := &writer{ctx: ctx, session: s, limit: a.maxSQL, joins: a.joins}
	if err := w.plain("START TRANSACTION", expectation{count: anyCount, verb: "BEGIN"}); err != nil {
		return nil, err
	}
	if err := w.plain(mark, expectation{count: 1, verb: markVerb}); err != nil {
		return nil, err
	}
	return w, w.wait() // Only a mark as large as a packet is under way already.
}

// run executes steps in the open transaction and checks every count. Afterwards nothing is unsent or under way.
func (w *writer) run(steps []step) error {
	err := w.writeAll(steps)
	if answered := w.wait(); answered != nil {
		return answered // It came first; a mark that did not match means that nothing behind it counts.
	}
	if err != nil {
		return err
	}
	crashpoint.Reach(crashpoint.Executed)
	return nil
}

func (w *writer) writeAll(steps []step) error {
	for i := range steps {
		if err := w.write(&steps[i]); err != nil {
			return err
		}
	}
	return w.flush()
}

// commit ends the session's transaction. Its mark's count has been checked: the fence never shares a packet with
// COMMIT.
func (a *Applier) commit(ctx context.Context, s *session, epoch uint64) error {
	begun := time.Now()
	if _, err := s.exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit epoch %d: %w", epoch, mysqlconn.Describe("target", "COMMIT", err))
	}
	a.cfg.Observer.CommitTook(time.Since(begun))
	return nil
}
