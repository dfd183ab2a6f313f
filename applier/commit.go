package applier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
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
func (a *Applier) applyEpoch(ctx context.Context, e *epoch) error {
	if a.alone(e) {
		if err := a.confirm(); err != nil {
			return err
		}
	}
	overlapped := a.unconfirmed != nil
	p := e.plan
	if p == nil {
		var err error
		if p, err = a.plan(e); err != nil {
			return err
		}
		close(e.planned)
	}
	a.advance(e.end, e.gtids, e.commitTime, e.undecided)
	a.prove(e.evidence)
	leader, followers := a.leaders[a.epoch%2], a.follow[:len(p.followers)]
	crashpoint.Reach(crashpoint.EpochBegin)
	begun := time.Now()
	statements, err := a.execute(ctx, leader, followers, p)
	if err != nil {
		return a.failed(ctx, e, err, overlapped)
	}
	a.cfg.Observer.Executed(time.Since(begun), statements)
	if len(followers) > 0 {
		crashpoint.Reach(crashpoint.Barrier)
	}
	if err := a.confirm(); err != nil {
		return err
	}
	if err := a.commitFollowers(ctx, followers); err != nil {
		return err
	}
	if e.recovery {
		crashpoint.Reach(crashpoint.RecoverDone)
	}
	crashpoint.Reach(crashpoint.BeforeLeader)
	a.commitLeader(ctx, leader, Progress{Checkpoint: a.cp, Epoch: a.epoch, Split: len(followers) > 0,
		Transactions: e.transactions, Changes: e.changes, Rows: p.rows, LogBytes: e.logBytes})
	return nil
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

// execute runs every session's share, all at the same time, up to but without COMMIT.
func (a *Applier) execute(ctx context.Context, leader *session, followers []*session, p *plan) (statements int, err error) {
	cp := a.cp
	record := checkpoint.Record{Checkpoint: &cp}
	end := checkpoint.Record{End: &checkpoint.End{Pos: cp.Pos, GTIDs: cp.GTIDs}}
	g, ctx := errgroup.WithContext(ctx)
	writers := make([]*writer, len(followers)+1)
	share := func(i int, s *session, r checkpoint.Record, steps []step) func() error {
		return func() error {
			w, err := a.begin(ctx, s, a.epoch, r)
			if err != nil {
				return err
			}
			writers[i] = w
			return w.run(steps)
		}
	}
	for i, s := range followers {
		record.Participants = append(record.Participants, s.no)
		g.Go(share(i, s, end, p.followers[i]))
	}
	g.Go(share(len(followers), leader, record, p.leader))
	if err := g.Wait(); err != nil {
		return 0, err
	}
	for _, w := range writers {
		statements += w.statements
	}
	return statements, nil
}

func (a *Applier) commitFollowers(ctx context.Context, followers []*session) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, s := range followers {
		g.Go(func() error {
			err := a.commit(gctx, s, a.epoch)
			crashpoint.Reach(crashpoint.FollowerCommit)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, s := range followers {
		a.claim.Committed(s.no, a.epoch)
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
	m, mismatched := errors.AsType[*mismatch](err)
	number, server := mysqlconn.Number(err)
	switch {
	case mismatched && m.verb == markVerb:
		return a.claim.Fenced(m.got)
	case change.FaultOf(err) != nil:
		return place(err, e)
	case mysqlconn.LockConflict(err):
		return &Again{Careful: Careful{Until: e.end}, Err: mysqlconn.Describe("target", "apply "+e.span(), err)}
	case !mismatched && (!server || mysqlconn.Retryable(err)):
		return fmt.Errorf("apply %s: %w", e.span(), mysqlconn.Describe("target", "execute", err))
	case overlapped || e.transactions > 1 && !e.recovery:
		if !mismatched {
			err = mysqlconn.Describe("target", "apply "+e.span(), err)
		}
		return &Again{Careful: Careful{Until: e.end, Single: true}, Err: err}
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
