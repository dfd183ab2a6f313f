package applier

import (
	"context"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/internal/crashpoint"
)

// large is a transaction that arrives in parts because it is above the reader's bound: it is executed in slices on
// one open target transaction and committed at its end with the checkpoint, so memory stays bounded whatever the
// source does (invariant 7).
type large struct {
	start change.Position
	gtid  change.GTID
	parts chan *part // No buffer: one part is executed while the next is merged. Closed by the collector.
}

// part is the net change of one part of a large transaction.
type part struct {
	changes *epoch
	last    *change.Txn   // The transaction's last part, which alone knows its end; nil before.
	done    chan struct{} // Closed when the part is executed.
}

// heavyPart is the size of a part, in bytes, above which nothing is read ahead of it. Only a single large row makes a
// part that large; otherwise three of them would be in memory at a time (read, merged, executed), the merged one in the
// reader's memory and its own, beside the statement (invariant 7).
const heavyPart = 32 << 20

// takeLarge merges the parts of a transaction and passes them on, until its last part. If the channel is closed
// before, the parts sent so far are rolled back by the executor.
func (a *Applier) takeLarge(ctx context.Context, t *change.Txn, in *intake, out chan<- item) error {
	l := &large{start: t.Start, gtid: t.GTID, parts: make(chan *part)}
	defer close(l.parts)
	if err := send(ctx, out, l); err != nil {
		return err
	}
	for {
		e := newEpoch()
		if _, err := a.prepare(ctx, e, t); err != nil {
			return err
		}
		if err := a.merge(e, t); err != nil {
			return err
		}
		e.note(t)
		p := &part{changes: e, done: make(chan struct{})}
		if t.Last {
			end := *t // It is given back before it is executed.
			end.Rows, p.last = nil, &end
		}
		select {
		case l.parts <- p:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if t.Last {
			a.planned = p.done
			return nil
		}
		if t.Bytes > heavyPart {
			select {
			case <-p.done:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		var err error
		if t, err = in.next(ctx); t == nil || err != nil {
			return err
		}
	}
}

// applyLarge executes the parts on the next leader, always strict.
func (a *Applier) applyLarge(ctx context.Context, l *large) error {
	if err := a.confirm(); err != nil {
		return err
	}
	number := a.epoch + 1
	leader := a.leaders[number%2]
	whole := &epoch{first: l.start, end: l.start, transactions: 1}
	old := a.cp
	w, err := a.begin(ctx, leader, number, checkpoint.Record{Checkpoint: &old})
	if err != nil {
		return a.failed(ctx, whole, err, false)
	}
	w.loads = a.mayLoad(whole)
	rows := 0
	for p := range l.parts {
		pl, err := planEpoch(p.changes, 0, a.spent)
		if err == nil {
			err = w.run(pl.leader)
		}
		if err != nil {
			return a.failed(ctx, whole, err, false)
		}
		crashpoint.Reach(crashpoint.LargeSlice)
		close(p.done)
		rows += pl.rows
		whole.changes += p.changes.changes
		whole.logBytes += p.changes.logBytes
		if p.last == nil {
			continue
		}
		a.advance(p.last.End, p.changes.gtids, p.last.CommitTime, p.last.Undecided)
		a.prove(p.last.Evidence)
		return a.endLarge(ctx, w, leader, whole, rows)
	}
	return a.rollback(ctx, leader) // The reader stopped inside the transaction.
}

// endLarge completes the record, which could not be known when the transaction began, and commits.
func (a *Applier) endLarge(ctx context.Context, w *writer, leader *session, e *epoch, rows int) error {
	cp := a.cp
	mark, err := a.claim.Remark(leader.no, a.epoch, checkpoint.Record{Checkpoint: &cp})
	if err != nil {
		return err
	}
	if err := w.plain(mark, expectation{count: 1, verb: markVerb}); err != nil {
		return a.failed(ctx, e, err, false)
	}
	if err := w.flush(); err != nil {
		return a.failed(ctx, e, err, false)
	}
	a.commitLeader(ctx, leader, Progress{Checkpoint: cp, Epoch: a.epoch, Transactions: 1, Changes: e.changes, Rows: rows, LogBytes: e.logBytes})
	return nil
}

func (a *Applier) rollback(ctx context.Context, s *session) error {
	_, err := s.exec(ctx, "ROLLBACK")
	return err
}
