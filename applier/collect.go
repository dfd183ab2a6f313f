package applier

import (
	"context"
	"errors"
	"time"

	"github.com/binseal/binseal/change"
)

// enough reports whether an epoch is large enough to be handed over far behind the source: it has its share of the bounds, or
// has been collected for long, or paused: for some milliseconds nothing more was to be had. quiet is for how long there has been
// nothing now.
//
// An epoch whose changes mostly meet rows that it has already is not handed over for its share, or for a short pause, but filled
// to its bounds (shut), unless the source is known to have no more: each of those rows is written once more with every epoch,
// and on busy processors the log pauses for some milliseconds now and then.
//
// Worked example, 8,000 hot rows and 100,000 others that change once: five epochs write 140,000 rows, three 124,000.
func (a *Applier) enough(e *epoch, paused bool, quiet time.Duration) bool {
	switch merges := 2*e.rows < e.changes; {
	case time.Since(e.begun) > fillTime:
		return true
	case merges:
		return paused && (quiet >= fillPause || a.cfg.AtEnd(e.end))
	}
	return paused || a.share*e.rows >= a.epochRows() || a.share*e.bytes >= maxEpochBytes || a.share*e.taken >= maxEpochTaken
}

// shut reports whether the epoch takes no more transactions: it is full, or next would fill it above its bound in bytes.
// next is nil when none has arrived.
func (a *Applier) shut(e *epoch, next *change.Txn) bool {
	return !e.empty() && (a.full(e) || next != nil && e.bytes+next.Bytes > maxEpochBytes || a.cfg.Careful.Single && a.cfg.Careful.covers(e))
}

// far reports whether the epoch's transactions are so old that some more milliseconds do not matter.
func (a *Applier) far(e *epoch) bool {
	_, offset := a.cfg.Seen()
	return time.Now().Add(offset).Sub(e.commitTime) > farBehind
}

// lastOfBacklog reports that an epoch has all that the source had when it was last looked at, and rows for more than one
// session. It need not wait for the epoch before it, as one that could take more does: where its plan is free it goes beside.
func (a *Applier) lastOfBacklog(e *epoch) bool { return e.rows >= splitRows && a.cfg.AtEnd(e.end) }

// collect is natural batching: receive the next transaction, or hand the epoch over when the executor asks. Far behind
// the source it lets the executor wait for more: the larger an epoch, the more of its changes merge.
func (a *Applier) collect(ctx context.Context, in *intake, out chan<- item) error {
	if a.half != nil {
		if covered, err := a.collectHalf(ctx, in, out); err != nil || !covered {
			return err
		}
	}
	cur := newEpoch()
	a.share = firstShare
	paused, arrived := false, time.Now()
	next := func() {
		cur, paused = newEpoch(), false
		a.share = max(lastShare, a.share/2)
	}
	for in.more() || !cur.empty() {
		if a.shut(cur, in.first()) {
			a.cfg.Observer.Collected(cur.rows, cur.bytes)
			if err := a.handOver(ctx, cur, out); err != nil {
				return err
			}
			next()
			continue
		}
		if t := in.first(); t != nil {
			in.drop()
			next, err := a.take(ctx, cur, t, in, out)
			if err != nil {
				return err
			}
			cur = next
			continue
		}
		a.cfg.Observer.Collected(cur.rows, cur.bytes)
		recv, give, idle := in.batches, out, a.cfg.Beat
		if cur.empty() {
			give = nil
		} else {
			idle = nil
		}
		var waited <-chan time.Time
		if give != nil && recv != nil && a.far(cur) {
			waited = time.After(fillPatience)
			if !a.enough(cur, paused, time.Since(arrived)) {
				give = nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case batch, ok := <-recv:
			in.refill(batch, ok)
			arrived = time.Now()
		case <-waited:
			if paused = true; !a.lastOfBacklog(cur) {
				continue
			}
			if err := a.handOver(ctx, cur, out); err != nil {
				return err
			}
			next()
		case give <- cur:
			a.planned = cur.planned
			next()
		case <-idle:
			if err := send(ctx, out, beat{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// take puts one transaction, or part of one, into the epoch cur, and returns the epoch to go on with.
func (a *Applier) take(ctx context.Context, cur *epoch, t *change.Txn, in *intake, out chan<- item) (*epoch, error) {
	if t.DDL != nil || !t.Whole() {
		if err := a.handOver(ctx, cur, out); err != nil {
			return nil, err
		}
		if t.DDL != nil {
			return newEpoch(), a.takeDDL(ctx, t, out)
		}
		return newEpoch(), a.takeLarge(ctx, t, in, out)
	}
	closes, err := a.prepare(ctx, cur, t)
	if err != nil {
		return nil, errors.Join(a.handOver(ctx, cur, out), err) // What came before the fault is whole.
	}
	if closes {
		if err := a.handOver(ctx, cur, out); err != nil {
			return nil, err
		}
		cur = newEpoch()
		if _, err := a.prepare(ctx, cur, t); err != nil {
			return nil, err
		}
	}
	if err := a.merge(cur, t); err != nil {
		return nil, err
	}
	cur.note(t)
	return cur, nil
}

// note counts a whole transaction into the epoch.
func (e *epoch) note(t *change.Txn) {
	if e.empty() {
		e.first, e.begun = t.Start, time.Now()
	}
	e.end = t.End
	if !t.CommitTime.IsZero() {
		e.commitTime = t.CommitTime
	}
	if !t.Evidence.IsZero() {
		e.evidence = t.Evidence
	}
	t.AddTo(&e.gtids)
	e.undecided = t.Undecided
	e.transactions++
	e.logBytes += t.LogBytes
}

func send(ctx context.Context, out chan<- item, it item) error {
	select {
	case out <- it:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
