package applier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/mysqlconn"
)

// commit is a leader's COMMIT under way.
type commit struct {
	session *session
	epoch   uint64
	done    chan struct{} // Closed when the reply is in, or lost.
	err     error         // Valid after done.
}

// Again is how a run ends that should be tried again with more care.
type Again struct {
	Careful Careful
	Err     error
}

// Error says that a run ended to be tried again, and why.
func (e *Again) Error() string { return "apply again with care: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Again) Unwrap() error { return e.Err }

// applyEpoch executes an epoch while the one before may still be committing, and sends its COMMIT.
//
//	strict  leader(n)   BEGIN mark rows… │ wait for n−1's OK │ COMMIT ─▶
//	        leader(n+1)                    BEGIN mark rows…             │ wait for n's OK │ COMMIT ─▶
//	split   followers   BEGIN mark rows… ┐
//	        leader      BEGIN mark rows… ┴ all executed, n−1's OK │ followers COMMIT │ leader COMMIT ─▶
//
// An epoch whose locks are those of its rows alone is left under way: an epoch that is full meanwhile, or the last of a backlog, is executed beside
// it, in split mode on other followers, and the rows that both have when the leader's COMMIT has been sent.
//
//	strict  leader(n)   BEGIN mark rows…………… │ wait for n−1's OK │ COMMIT ─▶
//	        leader(n+1)           BEGIN mark rows…………………………… │ wait for n's OK │ COMMIT ─▶
func (a *Applier) applyEpoch(ctx context.Context, e *epoch) error {
	p := e.plan
	if p == nil {
		var err error
		if p, err = a.plan(e); err != nil {
			return err
		}
		close(e.planned)
	}
	alone := a.alone(e)
	if ahead := len(a.executing) > 0; ahead && (alone || !a.executing[0].plan.beside(p)) {
		if err := a.finish(ctx); err != nil {
			return err
		}
	}
	if alone || len(a.executing) > 0 { // Beside n, n+1 needs the session of n−1.
		if err := a.confirm(); err != nil {
			return err
		}
	}
	a.executing = append(a.executing, a.start(ctx, e, p))
	if len(a.executing) > 1 {
		crashpoint.Reach(crashpoint.Beside)
		return a.finish(ctx) // No third one begins before: memory has a bound (invariant 7).
	}
	if p.free && !alone {
		return nil
	}
	return a.finish(ctx)
}

// alone reports whether the epoch may only begin when the one before is confirmed. Ordered changes search rows by
// their values: under READ COMMITTED such a search skips rows that a still uncommitted transaction has changed.
func (a *Applier) alone(e *epoch) bool {
	return a.cfg.Careful.covers(e) || len(e.ordered) > 0 || e.recovery
}

// plan decides between strict and split. The collector calls it as well as the executor, one after the other.
func (a *Applier) plan(e *epoch) (*plan, error) {
	if e.recovery {
		a.spent.unknown()
		return planRecovery(e), nil
	}
	shards := 0
	switch {
	case a.cfg.Careful.covers(e), a.cfg.Mode == Strict:
	case a.cfg.Mode == Split, e.rows >= splitRows:
		shards = a.cfg.Sessions
	}
	p, err := planEpoch(e, shards, a.spent)
	if err != nil {
		return nil, fmt.Errorf("plan %s–%s: %w", e.first, e.end, err)
	}
	return p, nil
}

func (a *Applier) commitFollowers(ctx context.Context, followers []*session, epoch uint64) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, s := range followers {
		g.Go(func() error {
			err := a.commit(gctx, s, epoch)
			crashpoint.Reach(crashpoint.FollowerCommit)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, s := range followers {
		a.claim.Committed(s.no, epoch)
	}
	return nil
}

// commitLeader sends the leader's COMMIT and returns; confirm waits for its reply. The next epoch executes
// meanwhile, which hides the commit's latency.
func (a *Applier) commitLeader(ctx context.Context, s *session, p Progress) {
	c := &commit{session: s, epoch: p.Epoch, done: make(chan struct{})}
	a.unconfirmed = c
	go func() {
		defer close(c.done)
		if c.err = a.commit(ctx, s, p.Epoch); c.err == nil {
			crashpoint.Reach(crashpoint.LeaderCommit)
			a.cfg.Observer.Committed(p)
		}
	}()
}

// confirm waits for the reply to the last leader's COMMIT. A lost reply is not a failed COMMIT: the run ends, and
// the next claim reads what happened.
func (a *Applier) confirm() error {
	c := a.unconfirmed
	if c == nil {
		return nil
	}
	<-c.done // Comes at the latest when the run's context ends: that closes the connection.
	a.unconfirmed = nil
	if c.err == nil {
		a.claim.Committed(c.session.no, c.epoch)
	}
	return c.err
}

// failed turns an error of an epoch's execution into how the run ends.
func (a *Applier) failed(ctx context.Context, e *epoch, err error, overlapped bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// The epoch before decides first: if its commit failed, what we saw means nothing.
	if cerr := a.confirm(); cerr != nil {
		return cerr
	}
	again := a.cfg.Careful.Lasting()
	again.Until = e.end
	if loadFailed(err) {
		again.NoLoadsUntil = time.Now().Add(loadsAgain)
	}
	m, mismatched := errors.AsType[*mismatch](err)
	number, server := mysqlconn.Number(err)
	switch {
	case mismatched && m.verb == markVerb:
		return a.claim.Fenced(m.got)
	case change.FaultOf(err) != nil:
		return place(err, e)
	case mysqlconn.LockConflict(err):
		return &Again{Careful: again, Err: mysqlconn.Describe("target", "apply "+e.span(), err)}
	case !mismatched && !loadFailed(err) && (!server || mysqlconn.Retryable(err)):
		return fmt.Errorf("apply %s: %w", e.span(), mysqlconn.Describe("target", "execute", err))
	case overlapped || e.transactions > 1 && !e.recovery || e.joined > 0 || loadFailed(err):
		if server {
			err = mysqlconn.Describe("target", "apply "+e.span(), err)
		}
		again.Single = true
		return &Again{Careful: again, Err: err}
	case mismatched && m.verb == againVerb:
		return refused(e, 0, m)
	case mismatched && m.verb == proofVerb:
		return generatedElsewise(e, m)
	case mismatched:
		return diverged(e, m)
	default:
		return refused(e, number, mysqlconn.Describe("target", "execute", err))
	}
}
