package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/binseal/binseal/applier"
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/replicator"
)

// metaWaitTimeout is long: the session for definitions holds no row locks.
const metaWaitTimeout = 8 * time.Hour

// metaLockWait bounds its waits for metadata locks and for the claim.
const metaLockWait = 10 * time.Second

// metaReadTimeout bounds its statements, so that a half-open connection shows: longer than any of its waits for a
// lock and than reading the definition of one table.
const metaReadTimeout = 30 * time.Second

// setupLimit bounds what comes before the streaming: claim, sessions, a DDL to settle. The claim may wait for 30 s,
// twice.
const setupLimit = 2 * time.Minute

// runOnce claims the stream and streams from the record until something ends it. Crash-only: whatever fails, the
// next run begins here, and this is the only way in which a stream recovers.
func (s *Stream) runOnce(ctx context.Context, careful applier.Careful) (err error) {
	ctx, end := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	s.mu.Lock()
	s.totals.Runs++
	s.endRun = end
	s.mu.Unlock()
	err = s.oneRun(ctx, end, &beside, careful)
	// Ended by ourselves: what else broke then broke for that.
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	s.mu.Lock()
	s.endRun = nil
	s.mu.Unlock()
	end(nil)
	beside.Wait()
	return err
}

// oneRun is runOnce; end ends it with a reason, and what it starts beside itself ends with its context.
func (s *Stream) oneRun(ctx context.Context, end context.CancelCauseFunc, beside *sync.WaitGroup, careful applier.Careful) (err error) {
	proof, asked := make(chan error, 1), make(chan sourceAnswer, 1) // What a start needs to know is asked side by side.
	beside.Go(func() { proof <- s.provenAtRest(ctx) })
	ahead, sessions := replicator.NewAhead(s.o.Source), applier.NewSessions(s.o.Target, s.o.Sessions) // Connected when a first session has shown that they can be.
	beside.Go(func() {
		answer := s.askSource(ctx)
		asked <- answer
		if answer.err == nil {
			ahead.Begin(ctx)
		}
	})
	setup, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	meta, err := s.o.Target.Open(setup, mysqlconn.SessionOptions{Metadata: true, ReadTimeout: metaReadTimeout, Init: mysqlconn.TargetInit(metaWaitTimeout, metaLockWait)})
	if err != nil {
		return err
	}
	defer func() { _ = meta.Close() }()
	beside.Go(func() { sessions.Begin(ctx) })
	if err := <-proof; err != nil { // Nothing is written before.
		return err
	}
	beside.Go(func() { s.watchAtRest(ctx, end) })
	claim, st, err := checkpoint.Take(setup, meta, checkpoint.Options{Stream: s.o.Name, Sessions: s.o.Sessions, Hash: s.o.ConfigHash, Logger: s.o.Logger}, &s.owners)
	if err != nil {
		return err
	}
	defer func() { err = s.ownFault(ctx, claim, err) }()
	var source sourceAnswer
	if st.Fresh {
		if source = <-asked; source.err != nil {
			return source.err
		}
		if st.Checkpoint, err = firstCheckpoint(source.info, s.o.Start); err != nil {
			return err
		}
	}
	if err := s.resume(st.Checkpoint); err != nil { // While the source cannot be asked, lag grows from here.
		return err
	}
	if st.HalfDone != nil {
		if err := s.endExecuted(setup, st); err != nil {
			return err
		}
	}
	if !st.Fresh {
		if source = <-asked; source.err != nil {
			return source.err
		}
	}
	reader := replicator.New(replicator.Config{Endpoint: s.o.Source, Known: &source.info, KnownAt: source.at, Ahead: ahead, ServerID: s.o.ServerID, Filter: s.o.Filter, LowerCaseNames: meta.LowerCaseNames,
		Heartbeat: s.o.Heartbeat, Listing: &s.listing, Logger: s.o.Logger, Metrics: s.reads, Near: s.lag.near, Started: func() { s.setState(StateStreaming) }})
	admitted, err := reader.Admit(ctx, st.Checkpoint)
	if err != nil {
		return err
	}
	setup, cancel = context.WithTimeout(ctx, setupLimit) // The source may have searched its log for long.
	defer cancel()
	was := st.Checkpoint.Source
	switched := was != admitted.Source
	if switched {
		s.switched(was, admitted.Source)
		careful = careful.Lasting() // Its position is in the other server's log.
	}
	st.Checkpoint = admitted
	watch := &watcher{stream: s, base: s.lag.sequence(), epoch: st.Epoch}
	app, err := applier.Open(setup, applier.Config{Stream: s.o.Name, Target: s.o.Target, Filter: s.o.Filter, Routes: s.o.Routes, Rules: s.o.Rules, Mode: s.o.Mode, Sessions: s.o.Sessions, EpochRows: s.o.EpochRows, AllowUnencrypted: s.o.AllowUnencrypted,
		Careful: careful, Seen: s.lag.seen, AtEnd: s.lag.atEnd, Beat: s.beat, End: end, ByName: s.byName, Logger: s.o.Logger, Observer: watch}, sessions, meta, claim, st)
	if err != nil {
		return err
	}
	defer app.Close()
	if st.Fresh {
		if err := app.Record(setup, admitted); err != nil {
			return err
		}
	}
	from := app.Checkpoint()
	if switched && st.HalfDone == nil { // Else the record follows with the epoch that finishes the half-done one.
		if err := app.Record(setup, from); err != nil {
			return err
		}
	}
	if err := s.resume(from); err != nil {
		return err
	}
	s.lag.lookFirst(s.sampleOf(source.info.ServerUUID, source.info.Tail)) // The next look comes within a second: a short backlog may be done by then.
	s.mu.Lock()
	s.owner = claim.Owner[:8]
	s.mu.Unlock()
	s.o.Logger.Info("claimed the stream", "position", from.Pos.String(), "gtids", from.GTIDs)
	return s.join(ctx, app, reader, from)
}

// ownFault is err, unless that asks for a person while the stream has another owner by now: then BS-FENCED. A daemon
// that was stopped behind its claim opens sessions that the new owner does not know and cannot end; it commits nothing
// (invariant 4), but may meet a table that the new owner has dropped before it meets the fence.
func (s *Stream) ownFault(ctx context.Context, claim *checkpoint.Claim, err error) error {
	f := change.FaultOf(err)
	if f == nil || f.Class != change.ClassPerson || ctx.Err() != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	look, failed := s.o.Target.Open(ctx, mysqlconn.SessionOptions{Metadata: true, ReadTimeout: metaReadTimeout, Init: mysqlconn.TargetInit(metaReadTimeout, metaLockWait)})
	if failed != nil {
		return failed // The next run meets the fault again.
	}
	defer func() { _ = look.Close() }()
	if failed := claim.Held(ctx, look); failed != nil {
		return failed
	}
	return err
}

// resume makes a checkpoint the one from which lag is told.
func (s *Stream) resume(cp change.Checkpoint) error {
	if err := s.lag.restart(cp); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cp = cp
	return nil
}

// switched notes that another server of the same history has taken the source's place.
func (s *Stream) switched(from, to change.Source) {
	s.mu.Lock()
	known := s.source == to.ServerUUID // Nothing was committed since.
	if s.source = to.ServerUUID; !known {
		s.totals.SourceSwitches++
	}
	s.mu.Unlock()
	if known {
		return
	}
	s.metrics.switches.Inc()
	s.o.Logger.Warn("source switched", "from_uuid", from.ServerUUID, "server_uuid", to.ServerUUID, "version", to.Version)
}

// endExecuted halts when the source has never executed the end of a half-done epoch, as a replica of the source does
// that was promoted without its last transactions. The epoch could not be finished, and the checkpoint, which covers
// such a source's end, would tell that the stream has caught up (invariant 8).
func (s *Stream) endExecuted(ctx context.Context, st checkpoint.State) error {
	src, err := s.o.Source.Open(ctx, mysqlconn.SessionOptions{ReadTimeout: metaReadTimeout})
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	info, err := replicator.Identify(ctx, src)
	if err != nil {
		return err
	}
	return endReached(st, info)
}

func endReached(st checkpoint.State, info replicator.SourceInfo) error {
	reached, err := st.HalfDone.Covered(st.Checkpoint.ByGTID, info.End, info.Executed)
	if err != nil || reached {
		return err
	}
	return &change.Fault{Code: "BS-HALF-DONE", Class: change.ClassPerson, Where: st.Checkpoint.Pos.String(),
		What: "an epoch is half done on the target and cannot be finished: the source has not executed its end, " + st.HalfDone.Pos.String(),
		Next: "the source's history is not the one that the epoch was read from; connect the source that ran before, or load the target again and set its position (binseal position set --loaded)"}
}

// sourceAnswer is what the source says of itself.
type sourceAnswer struct {
	info replicator.SourceInfo
	at   time.Time
	err  error
}

func (s *Stream) askSource(ctx context.Context) (a sourceAnswer) {
	var src *mysqlconn.Session
	if src, a.err = s.o.Source.Open(ctx, mysqlconn.SessionOptions{ReadTimeout: metaReadTimeout}); a.err != nil {
		return a
	}
	defer func() { _ = src.Close() }()
	a.info, a.err = replicator.Identify(ctx, src)
	a.at = time.Now()
	return a
}

// firstCheckpoint is where a stream begins that has never run: at start, in a source's log.
func firstCheckpoint(info replicator.SourceInfo, start Start) (change.Checkpoint, error) {
	cp := change.Checkpoint{Source: info.Source, ByGTID: info.ByGTID(), Pos: info.End, GTIDs: info.Executed.String()}
	switch {
	case start.GTID != "":
		if !info.ByGTID() {
			return cp, &change.Fault{Code: "BS-START", Class: change.ClassConfig, Where: "start.gtid",
				What: "the source does not use GTIDs (gtid_mode=" + info.GTIDMode + ")", Next: "give start.file and start.pos instead"}
		}
		gtids, err := change.ParseGTIDSet(start.GTID)
		if err != nil {
			return cp, &change.Fault{Code: "BS-START", Class: change.ClassConfig, Where: "start.gtid", What: "not a GTID set", Err: err,
				Next: "give the set as the load's metadata has it: uuid:1-100,…"}
		}
		cp.GTIDs, cp.Pos = gtids.String(), change.Position{}
	case !start.Pos.IsZero():
		// What the log holds before the position is not known as a GTID set, so the stream goes on by position.
		cp.Pos, cp.ByGTID, cp.GTIDs = start.Pos, false, ""
	}
	return cp, nil
}

// join runs reader and applier until the first of them ends. When the reader ends, or ctx does, the applier may
// finish what it has.
func (s *Stream) join(ctx context.Context, app *applier.Applier, reader *replicator.Reader, from change.Checkpoint) error {
	s.mu.Lock()
	s.reader = reader
	s.mu.Unlock()
	readCtx, stopReading := context.WithCancel(ctx)
	defer stopReading()
	applyCtx, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()

	txns := make(chan []*change.Txn) // No buffer: an epoch is the buffer, and it is bounded.
	readErr := make(chan error, 1)
	go func() {
		defer close(txns)
		readErr <- reader.Run(readCtx, from, func(batch []*change.Txn) error { return s.pass(readCtx, batch, txns) })
	}()
	applyErr := make(chan error, 1)
	go func() { applyErr <- app.Run(applyCtx, txns) }()

	select {
	case err := <-applyErr:
		stopReading()
		return errors.Join(err, real(<-readErr))
	case rerr := <-readErr:
		if ctx.Err() != nil {
			s.setState(StateDraining)
		}
		if !errors.Is(context.Cause(ctx), errReload) { // Nobody waits for a reload: a DDL of hours may end.
			limit := time.AfterFunc(drainLimit, abandon)
			defer limit.Stop()
		}
		err := <-applyErr
		if applyCtx.Err() != nil && ctx.Err() != nil {
			s.o.Logger.Info("epoch in flight rolled back", "reason", "it did not finish in time")
			err = nil
		}
		return errors.Join(real(rerr), err)
	}
}

// real drops the errors that say only that we ended the reader ourselves.
func real(err error) error {
	if errors.Is(err, context.Canceled) && change.FaultOf(err) == nil {
		return nil
	}
	return err
}

// pass hands transactions to the applier.
func (s *Stream) pass(ctx context.Context, batch []*change.Txn, txns chan<- []*change.Txn) error {
	s.lag.received(batch)
	select {
	case txns <- batch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watcher keeps lag, totals and metrics of one run.
type watcher struct {
	stream *Stream
	base   uint64 // Transactions received before this run.
	done   uint64 // Committed in this run; the applier commits one epoch at a time.
	epoch  uint64
}

// Committed implements applier.Observer.
func (w *watcher) Committed(p applier.Progress) {
	s := w.stream
	w.done += uint64(p.Transactions)
	s.lag.committed(w.base+w.done, p.Checkpoint, p.LogBytes)
	s.mu.Lock()
	s.epoch, s.lastSplit, s.cp = p.Epoch, p.Split, p.Checkpoint
	s.totals.Transactions += uint64(p.Transactions)
	s.totals.RowChanges += uint64(p.Changes)
	s.totals.RowsWritten += uint64(p.Rows)
	s.totals.Epochs++
	if p.Split {
		s.totals.SplitEpochs++
	}
	if p.DDL {
		s.totals.DDL++
	}
	s.mu.Unlock()
	s.metrics.committed(p)
}

// Executed implements applier.Observer.
func (w *watcher) Executed(d time.Duration, statements int) {
	w.stream.metrics.execute.Observe(d.Seconds())
	w.stream.metrics.statements.Add(float64(statements))
}

// CommitTook implements applier.Observer.
func (w *watcher) CommitTook(d time.Duration) { w.stream.metrics.commit.Observe(d.Seconds()) }

// Collected implements applier.Observer.
func (w *watcher) Collected(rows, bytes int) {
	w.stream.queueRows.Store(int64(rows))
	w.stream.queueBytes.Store(int64(bytes))
}

// TableOrdered implements applier.Observer.
func (w *watcher) TableOrdered(table, why string) {
	s := w.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.ordered {
		if t.Table == table {
			return
		}
	}
	s.ordered = append(s.ordered, TableNote{Table: table, Class: "ordered", Why: why})
}
