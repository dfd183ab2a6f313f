package applier

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/schema"
)

// handOver waits until the executor asks for an epoch that takes no more. While the executor is busy there is time to
// plan it here: else the target would idle while the executor does. A plan that may be executed beside another one goes
// early. An epoch that could take more never does: near the source that would halve the batches.
func (a *Applier) handOver(ctx context.Context, e *epoch, out chan<- item) error {
	if e.empty() {
		return nil
	}
	last := a.planned
	a.planned = e.planned
	select {
	case out <- e:
		return nil
	default:
	}
	if last != nil {
		select { // In the epochs' order: see spentValues.
		case <-last:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	var err error
	if e.plan, err = a.plan(e); err != nil {
		return err
	}
	close(e.planned)
	var early chan<- item
	if e.plan.free {
		early = a.early
	}
	select {
	case early <- e:
		return nil
	case out <- e:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// execution is an epoch under way up to but without COMMIT.
type execution struct {
	epoch      *epoch
	plan       *plan
	leader     *session
	followers  []*session
	progress   Progress // As it will be when the epoch has committed.
	overlapped bool     // Begun while the epoch before was not confirmed.
	stop       context.CancelFunc
	done       chan struct{} // Closed when every session has executed its share, or one has failed.

	// Valid after done.
	statements int
	took       time.Duration
	err        error
}

// start gives an epoch its number and begins to execute it: every session's share, all at the same time.
func (a *Applier) start(ctx context.Context, e *epoch, p *plan) *execution {
	overlapped := a.unconfirmed != nil || len(a.executing) > 0
	a.advance(e.end, e.gtids, e.commitTime, e.undecided)
	a.prove(e.evidence)
	ctx, stop := context.WithCancel(ctx)
	x := &execution{epoch: e, plan: p, leader: a.leaders[a.epoch%2], followers: a.follow[:len(p.followers)], overlapped: overlapped, stop: stop, done: make(chan struct{}),
		progress: Progress{Checkpoint: a.cp, Epoch: a.epoch, Split: len(p.followers) > 0, Transactions: e.transactions, Changes: e.changes, Rows: p.rows, LogBytes: e.logBytes}}
	crashpoint.Reach(crashpoint.EpochBegin)
	begun := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	writers, err := a.writers(ctx, x)
	g.Go(func() error { return err })
	for i, w := range writers {
		share := p.leader
		if i < len(p.followers) {
			share = p.followers[i]
		}
		g.Go(func() error { return w.run(share) })
	}
	go func() {
		defer close(x.done)
		x.err = g.Wait()
		stop()
		for _, w := range writers {
			x.statements += w.statements
		}
		x.took = time.Since(begun)
	}()
	return x
}

// writers begins the transaction of each session, the leader's last. It belongs to the executor, as the claim does.
func (a *Applier) writers(ctx context.Context, x *execution) ([]*writer, error) {
	cp := x.progress.Checkpoint
	record := checkpoint.Record{Checkpoint: &cp}
	end := checkpoint.Record{End: &checkpoint.End{Pos: cp.Pos, GTIDs: cp.GTIDs}}
	var all []*writer
	for _, s := range x.followers {
		record.Participants = append(record.Participants, s.no)
		w, err := a.begin(ctx, s, x.progress.Epoch, end)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	w, err := a.begin(ctx, x.leader, x.progress.Epoch, record)
	if err != nil {
		return nil, err
	}
	return append(all, w), nil
}

// finish waits until the oldest epoch under way has been executed, and sends its COMMIT behind the OK of the one before.
func (a *Applier) finish(ctx context.Context) error {
	x := a.executing[0]
	<-x.done                                       // Comes at the latest when the run's context ends: that closes the connections.
	a.executing = slices.Delete(a.executing, 0, 1) // Its images are not needed any more.
	if x.err != nil {
		return a.failed(ctx, x.epoch, x.err, x.overlapped)
	}
	a.cfg.Observer.Executed(x.took, x.statements)
	if len(x.followers) > 0 {
		crashpoint.Reach(crashpoint.Barrier)
	}
	if err := a.confirm(); err != nil {
		return err
	}
	if err := a.commitFollowers(ctx, x.followers, x.progress.Epoch); err != nil {
		return err
	}
	if x.epoch.recovery {
		crashpoint.Reach(crashpoint.RecoverDone)
	}
	crashpoint.Reach(crashpoint.BeforeLeader)
	a.commitLeader(ctx, x.leader, x.progress)
	return nil
}

// abandon ends what is under way when a run ends. No COMMIT of it was sent, so the target rolls it back.
func (a *Applier) abandon() {
	for _, x := range a.executing {
		x.stop()
		<-x.done
	}
	a.executing = nil
}

// beside reports that nothing in q waits for a lock of p, nor p for one of q, while both execute: they have no row in
// common, and neither has rows whose locks reach beyond the row itself (plan.free). Split mode relies on the same among
// its followers.
//
// Worked example: p updates the rows 1 and 5 of t, q inserts 3 and deletes 6. Their locks are those of four records, since
// under READ COMMITTED nothing that goes by the primary key locks a gap. With 5 among q's rows q could come first: then p
// waits for q's COMMIT, and that for p's, a deadlock which InnoDB cannot see.
func (p *plan) beside(q *plan) bool {
	if !p.free || !q.free {
		return false
	}
	byName := map[schema.Name][]step{}
	for _, s := range p.leader {
		byName[s.target()] = append(byName[s.target()], s)
	}
	for _, s := range q.leader {
		for _, o := range byName[s.target()] {
			if o.table.layout != s.table.layout || meet(o.rows, s.rows) { // Keys of two layouts may be made of other columns.
				return false
			}
		}
	}
	return true
}

func (s *step) target() schema.Name {
	def := s.table.def()
	return schema.Name{Schema: def.Schema, Table: def.Name}
}

// meet reports whether two lists of changes of one table, each sorted by key, have a key in common.
func meet(a, b []*netChange) bool {
	if len(a) == 0 || len(b) == 0 || a[len(a)-1].key < b[0].key || b[len(b)-1].key < a[0].key {
		return false // Most often: what is inserted is new.
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch c := strings.Compare(a[i].key, b[j].key); {
		case c == 0:
			return true
		case c < 0:
			i++
		default:
			j++
		}
	}
	return false
}
