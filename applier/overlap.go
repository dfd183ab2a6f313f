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
// early. An epoch that could take more never comes here: near the source that would halve the batches.
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
	// behind is closed when COMMIT of the epoch before has been sent, beside which this one was begun: rows that both have
	// wait for that. Nil when there is none.
	behind chan struct{}
	stop   context.CancelFunc
	done   chan struct{} // Closed when every session has executed its share, or one has failed.

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
	x := &execution{epoch: e, plan: p, leader: a.leaders[a.epoch%2], followers: a.followersOf(p), overlapped: overlapped, stop: stop, done: make(chan struct{}),
		progress: Progress{Checkpoint: a.cp, Epoch: a.epoch, Split: len(p.followers) > 0, Transactions: e.transactions, Changes: e.changes, Rows: p.rows, LogBytes: e.logBytes}}
	now, later := p.shares(), make([][]step, len(p.followers)+1)
	if len(a.executing) > 0 {
		now, later = a.executing[0].plan.apart(p)
		x.behind = make(chan struct{})
	}
	crashpoint.Reach(crashpoint.EpochBegin)
	begun := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	writers, err := a.writers(ctx, x)
	g.Go(func() error { return err })
	for i, w := range writers {
		g.Go(func() error { return x.write(ctx, w, now[i], later[i]) })
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

// followersOf are the sessions of a plan's followers: of a free one half of all, so that the epoch beside has the others.
func (a *Applier) followersOf(p *plan) []*session {
	all := a.follow
	if p.free {
		all = all[len(all)/2*int(a.epoch%2):]
	}
	return all[:len(p.followers)]
}

// write executes a session's share: first what may be executed at once, then the rows that the epoch before has as well.
func (x *execution) write(ctx context.Context, w *writer, now, later []step) error {
	if err := w.run(now); err != nil || len(later) == 0 {
		return err
	}
	select {
	case <-x.behind:
		return w.run(later)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writers begins the transaction of each session, the leader's last. It belongs to the executor, as the claim does.
func (a *Applier) writers(ctx context.Context, x *execution) ([]*writer, error) {
	cp := x.progress.Checkpoint
	record := checkpoint.Record{Checkpoint: &cp}
	end := checkpoint.Record{End: &checkpoint.End{Pos: cp.Pos, GTIDs: cp.GTIDs}}
	var all []*writer
	loads := a.mayLoad(x.epoch)
	for _, s := range x.followers {
		record.Participants = append(record.Participants, s.no)
		w, err := a.begin(ctx, s, x.progress.Epoch, end)
		if err != nil {
			return nil, err
		}
		w.loads = loads
		all = append(all, w)
	}
	w, err := a.begin(ctx, x.leader, x.progress.Epoch, record)
	if err != nil {
		return nil, err
	}
	w.loads = loads
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
	if len(a.executing) > 0 {
		close(a.executing[0].behind)
	}
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

// beside reports that p and q may execute at the same time, but for the rows that both have: of neither do locks reach
// beyond its rows (plan.free), and neither takes the other's sessions.
func (p *plan) beside(q *plan) bool { return p.free && q.free }

// apart divides q's steps into those that wait for no lock of p, nor p for one of theirs, and those of rows that p has too.
//
// Worked example: p updates the rows 1 and 5 of t, q inserts 3 and updates 5. Row 3 is written while p executes: under READ
// COMMITTED nothing that goes by the primary key locks more than its rows. Row 5 must not be: q could come first, then p
// waits for q's COMMIT, and that for p's, a deadlock which InnoDB cannot see. So it is written behind p's COMMIT. The order
// of rows within q does not matter: where it would, for the sake of a unique value, q is not free.
//
// The lists are those of q's sessions, as in shares.
func (p *plan) apart(q *plan) (now, later [][]step) {
	byName := map[schema.Name][]step{}
	for _, s := range slices.Concat(p.shares()...) {
		byName[s.target()] = append(byName[s.target()], s)
	}
	shares := q.shares()
	now, later = make([][]step, len(shares)), make([][]step, len(shares))
	for i, share := range shares {
		for _, s := range share {
			free, met := s, s
			free.rows, met.rows = divide(&s, byName[s.target()])
			now[i], later[i] = append(now[i], nonEmpty(free)...), append(later[i], nonEmpty(met)...)
		}
	}
	return now, later
}

func (s *step) target() schema.Name {
	def := s.table.def()
	return schema.Name{Schema: def.Schema, Table: def.Name}
}

// divide parts the rows of a step by whether one of others, of the same table, has their key; all are sorted by key. Keys of
// two layouts may be made of other columns: then all rows count as met.
func divide(s *step, others []step) (free, met []*netChange) {
	if slices.ContainsFunc(others, func(o step) bool { return o.table.layout != s.table.layout }) {
		return nil, s.rows
	}
	var common []bool // For each of s.rows; nil while there is none.
	for _, o := range others {
		a, b := s.rows, o.rows
		if a[len(a)-1].key < b[0].key || b[len(b)-1].key < a[0].key {
			continue // Most often: what is inserted is new.
		}
		for i, j := 0, 0; i < len(a) && j < len(b); {
			switch c := strings.Compare(a[i].key, b[j].key); {
			case c == 0:
				if common == nil {
					common = make([]bool, len(a))
				}
				common[i] = true
				i++
			case c < 0:
				i++
			default:
				j++
			}
		}
	}
	if common == nil {
		return s.rows, nil
	}
	for i, r := range s.rows {
		if common[i] {
			met = append(met, r)
		} else {
			free = append(free, r)
		}
	}
	return free, met
}
