package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/replicator"
)

// Place is what a person can see and set of a stream that does not run: its checkpoint in the target. Each change is
// one transaction there, and is refused (BS-STREAM-RUNNING) while a daemon has sessions on the target. Nothing of it
// touches the source's data or the target's tables. It is used by one goroutine.
type Place struct {
	Name           string
	Source, Target *mysqlconn.Endpoint
}

// Moved are the checkpoints before and after a change. Before is zero for a stream that has never run.
type Moved struct {
	Before, After change.Checkpoint
}

// Look reads the state. Only the target is asked.
func (p *Place) Look(ctx context.Context) (st checkpoint.State, err error) {
	err = p.onTarget(ctx, func(s *mysqlconn.Session) error {
		st, err = checkpoint.Look(ctx, s, p.Name)
		return err
	})
	return st, err
}

// SkipGTID takes one transaction for applied: the stream never reads it. Its work on the target, if any of it is
// wanted, is the caller's. The GTID must be of the source's history and not applied yet.
func (p *Place) SkipGTID(ctx context.Context, gtid string) (Moved, error) {
	skipped, err := change.ParseGTID(gtid)
	if err != nil {
		return Moved{}, unmovable("the GTID is not of the form uuid:number, or of MariaDB's domain-server-number", "give the GTID that the halt names")
	}
	src, info, err := p.openSource(ctx)
	if err != nil {
		return Moved{}, err
	}
	defer func() { _ = src.Close() }()
	return p.reposition(ctx, func(st checkpoint.State) (checkpoint.Move, error) {
		to := st.Checkpoint
		if err := p.standing(st, info); err != nil {
			return checkpoint.Move{}, err
		}
		if !to.ByGTID {
			return checkpoint.Move{}, unmovable("the stream goes on by file and position, not by GTID", "name the transaction with --at FILE:POS, as the halt does")
		}
		prepared := to.Undecided
		if to.Undecided, err = prepared.Without(skipped); err != nil {
			return checkpoint.Move{}, fmt.Errorf("checkpoint: %w", err)
		}
		if skipped.IsMariaDB() && to.Undecided.Count != prepared.Count {
			return checkpoint.Move{To: to}, nil // The position has it already; it will not be waited for any more.
		}
		have, err := change.ParseGTIDSet(to.GTIDs)
		if err != nil {
			return checkpoint.Move{}, fmt.Errorf("checkpoint: %w", err)
		}
		if err := skippable(ctx, src, info, to.Pos, have, skipped); err != nil {
			return checkpoint.Move{}, err
		}
		have.Add(skipped)
		to.GTIDs, to.Created = have.String(), ""
		return checkpoint.Move{To: to}, nil
	})
}

// skippable refuses a transaction that is not to come. On MariaDB it must be the next of its domain: a position stands
// for all up to it, and another one would take those before it along.
func skippable(ctx context.Context, src *mysqlconn.Session, info replicator.SourceInfo, pos change.Position, have change.GTIDSet, skipped change.GTID) error {
	switch {
	case have.Has(skipped):
		return unmovable("the transaction is in the checkpoint already", "give the GTID that the halt names")
	case !info.Executed.Has(skipped):
		return unmovable("the source has not executed the transaction", "give the GTID that the halt names")
	case !skipped.IsMariaDB():
		return nil
	}
	next, found, err := replicator.NextInDomain(ctx, src, pos, have, skipped.Domain)
	if err == nil && (!found || next != skipped) {
		err = unmovable(fmt.Sprintf("the next transaction of domain %d behind the checkpoint is %q", skipped.Domain, next), "give the GTID that the halt names")
	}
	return err
}

// SkipAt does the same where transactions have no GTID: the next one behind the checkpoint, of which at must be a part.
func (p *Place) SkipAt(ctx context.Context, at change.Position) (Moved, error) {
	src, info, err := p.openSource(ctx)
	if err != nil {
		return Moved{}, err
	}
	defer func() { _ = src.Close() }()
	return p.reposition(ctx, func(st checkpoint.State) (checkpoint.Move, error) {
		to := st.Checkpoint
		if err := p.standing(st, info); err != nil {
			return checkpoint.Move{}, err
		}
		if to.ByGTID {
			return checkpoint.Move{}, unmovable("the stream goes on by GTID, not by file and position", "name the transaction with --gtid, as the halt does")
		}
		next, found, err := replicator.TransactionAt(ctx, src, to.Pos)
		if err != nil {
			return checkpoint.Move{}, err
		}
		if !found || !next.Holds(at) {
			return checkpoint.Move{}, unmovable(fmt.Sprintf("the transaction behind the checkpoint reaches from %s to %s and does not hold %s", next.From, next.To, at),
				"give the place that the halt names")
		}
		// The outcome of an XA transaction must be read again, or that would stay prepared in our view for ever.
		if to.Undecided.Count > 0 && !next.Decides {
			to.Undecided.Skipped = append(slices.Clone(to.Undecided.Skipped), next.Span)
		}
		to.Pos, to.Created = next.To, ""
		return checkpoint.Move{To: to}, nil
	})
}

// Set puts the checkpoint where start says. With anew the target has been loaded again as of that place: then the
// stream need not have run, may have been of another source, and nothing of its former record counts. Without it the
// source must be the checkpoint's, and no epoch or statement may be half done.
func (p *Place) Set(ctx context.Context, start Start, anew bool) (Moved, error) {
	src, info, err := p.openSource(ctx)
	if err != nil {
		return Moved{}, err
	}
	defer func() { _ = src.Close() }()
	to, err := firstCheckpoint(info, start)
	if err != nil {
		return Moved{}, err
	}
	if err := inHistory(ctx, src, info, to); err != nil {
		return Moved{}, err
	}
	decide := func(st checkpoint.State) (checkpoint.Move, error) {
		if anew {
			return checkpoint.Move{To: to}, nil
		}
		return checkpoint.Move{To: to}, p.standing(st, info)
	}
	if anew {
		moved := Moved{After: to}
		return moved, p.onTarget(ctx, func(s *mysqlconn.Session) error { return checkpoint.Relocate(ctx, s, p.Name, true, decide) })
	}
	return p.reposition(ctx, decide)
}

// inHistory refuses a place that the source cannot go on from, or where no transaction begins.
func inHistory(ctx context.Context, src *mysqlconn.Session, info replicator.SourceInfo, to change.Checkpoint) error {
	files, err := replicator.LogSizes(ctx, src)
	if err != nil {
		return err
	}
	if err := replicator.Admit(info, files, to); err != nil || to.ByGTID {
		return err
	}
	next, found, err := replicator.TransactionAt(ctx, src, to.Pos)
	if err != nil {
		return err
	}
	start := next.From
	if found && start.File == to.Pos.File && start != to.Pos && to.Pos.Pos > 4 {
		return unmovable("no transaction begins at "+to.Pos.String()+": the next one begins at "+start.String(), "give the begin of a transaction")
	}
	return nil
}

// Settle answers BS-DDL-DOUBT: whether the statement that was about to run has run. Then the stream goes on behind it,
// or reads it again.
func (p *Place) Settle(ctx context.Context, ran bool) (Moved, error) {
	return p.reposition(ctx, func(st checkpoint.State) (checkpoint.Move, error) {
		move, ok := st.Settled(ran)
		if !ok {
			return checkpoint.Move{}, unmovable("no statement is in doubt", "start the daemon")
		}
		return move, nil
	})
}

// standing wants a stream that stands between two transactions of this source.
func (p *Place) standing(st checkpoint.State, info replicator.SourceInfo) error {
	switch {
	case st.Fresh:
		return unmovable("the stream has no checkpoint yet", "set start in the config, or set the position with --loaded")
	case st.HalfDone != nil:
		return unmovable("an epoch is half done on the target", "start the daemon once and let it finish the epoch, or load the target again and use position set --loaded")
	case st.Intent != nil:
		return unmovable("a statement was about to run, and may have", "start the daemon once, or answer with position settle")
	}
	return replicator.SameSource(st.Checkpoint.Source, info.Source)
}

func (p *Place) reposition(ctx context.Context, decide func(checkpoint.State) (checkpoint.Move, error)) (m Moved, err error) {
	err = p.onTarget(ctx, func(s *mysqlconn.Session) error {
		return checkpoint.Reposition(ctx, s, p.Name, func(st checkpoint.State) (checkpoint.Move, error) {
			move, err := decide(st)
			m = Moved{Before: st.Checkpoint, After: move.To}
			return move, err
		})
	})
	return m, err
}

func (p *Place) onTarget(ctx context.Context, do func(*mysqlconn.Session) error) error {
	s, err := p.Target.Open(ctx, mysqlconn.SessionOptions{Metadata: true, ReadTimeout: metaReadTimeout, Init: mysqlconn.TargetInit(metaReadTimeout, metaLockWait)})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	return do(s)
}

func (p *Place) openSource(ctx context.Context) (*mysqlconn.Session, replicator.SourceInfo, error) {
	src, err := p.Source.Open(ctx, mysqlconn.SessionOptions{ReadTimeout: metaReadTimeout})
	if err != nil {
		return nil, replicator.SourceInfo{}, err
	}
	info, err := replicator.Identify(ctx, src)
	if err != nil {
		_ = src.Close()
	}
	return src, info, err
}

func unmovable(what, next string) error {
	return &change.Fault{Code: "BS-POSITION-REFUSED", Class: change.ClassConfig, What: what, Next: next}
}
