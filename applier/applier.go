// Package applier merges transactions of the source into epochs and writes them to the target, each with the
// checkpoint in the same commit.
//
// An epoch is a run of whole source transactions, merged into the net change of each row (epoch.go), written as
// a few large statements (plan.go) over sessions that commit strictly or split (commit.go). DDL (ddl.go), oversized
// transactions (large.go) and the recovery of a half-done epoch (recover.go) run alone. The applier never reads the
// source; it takes transactions from a channel. Any failure ends its Run: the stream starts it again from the
// progress table, which is the one recovery path.
package applier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
)

// Mode is how epochs commit.
type Mode string

// The modes of apply.mode.
const (
	Auto   Mode = "auto"   // Strict near the source, split on a backlog.
	Strict Mode = "strict" // One target transaction per epoch.
	Split  Mode = "split"  // Contiguous key ranges on several sessions, the leader commits last.
)

// Bounds of an epoch and of a statement.
const (
	maxEpochRows  = 100_000              // Net rows; about 150 bytes each of index beside the images.
	maxEpochBytes = 40 << 20             // Memory held by images. Three epochs may be alive: one collecting, two executing.
	maxEpochTaken = 4 * maxEpochBytes    // Images received, also those that merged: a half-done epoch is read again, and lag moves by epochs.
	farBehind     = 5 * time.Second      // Behind the source by more than this, an epoch is filled to a share of its bounds, or to them: see enough;
	fillPatience  = 5 * time.Millisecond // as long as more arrives within this,
	fillPause     = 20 * fillPatience    // or, where changes merge, within this,
	fillTime      = 2 * time.Second      // and no longer than this: over a slow link nothing would be seen to be applied.
	firstShare    = 16                   // The first to a sixteenth, so that the target need not wait for it; each next one to twice that,
	lastShare     = 2                    // up to half.
	splitRows     = 2_000                // Below this many rows, more sessions cost more than they save.
	maxRowsPerSQL = 1_000                // Rows in one statement: beyond it the cost per row no longer falls (facts/performance.md §3).
	maxSQLBytes   = 512 << 10
	packetBytes   = 1 << 20 // Statements sent in one round trip.
)

// Session settings of the target.
const (
	waitTimeout = 5 * time.Second  // A silent owner's locks go after this; see keepAlive.
	keepAlive   = time.Second      // Idle sessions are touched this often; a fifth of waitTimeout.
	lockWait    = 10 * time.Second // Row locks that others hold; then the run starts again, strict.
	ddlLockWait = 60 * time.Second // Metadata locks of a DDL.
	// A DDL session is idle only for the moment before its statement.
	ddlWaitTimeout = 60 * time.Second
)

// Config is what an Applier needs.
type Config struct {
	Stream   string
	Target   *mysqlconn.Endpoint
	Filter   *schema.Filter // On the source's names.
	Routes   *schema.Routes // From the source's names to the target's; nil keeps them.
	Rules    *schema.Rules  // For DDL; nil without any.
	Mode     Mode
	Sessions int // Followers of a split epoch, 1–32.
	// EpochRows bounds the net rows of an epoch, 1–100,000; 0 is 100,000. A half-done epoch may be of an earlier run with a
	// larger bound, so the recovery keeps to the largest.
	EpochRows int
	// AllowUnencrypted lets DDL through that asks for a table without encryption at rest.
	AllowUnencrypted bool
	// Careful applies the epochs that begin at or before a position one at a time and strict: the run before ended
	// there with Again.
	Careful Careful
	// Seen gives the last moment, on the source's clock, at which the stream was known to have caught up, and the
	// source's clock minus ours; both go into each record.
	Seen func() (caughtUpAt time.Time, clockOffset time.Duration)
	// AtEnd reports whether a position is at or behind the source's end as seen a moment ago.
	AtEnd func(change.Position) bool
	// Beat asks for a commit of the record alone while there is nothing else to commit, so that what Seen tells
	// survives a restart of an idle stream.
	Beat <-chan struct{}
	// End ends the run for what is seen beside its epochs: see watchTriggers.
	End      func(reason error)
	ByName   ByName
	Logger   *slog.Logger
	Observer Observer
}

// Careful says where a run must take care.
type Careful struct {
	Until  change.Position // Zero: nowhere.
	Single bool            // One transaction an epoch, so that a mismatch has an exact position.
	// NoLoadsUntil: loading has failed, for whatever reason. It holds for a while, or each epoch could be applied twice.
	NoLoadsUntil time.Time
}

// Lasting is what holds for the runs that follow as well.
func (c Careful) Lasting() Careful { return Careful{NoLoadsUntil: c.NoLoadsUntil} }

func (c Careful) covers(e *epoch) bool { return c.reaches(e.first) }

// reaches reports whether an epoch that begins at first is applied with care.
func (c Careful) reaches(first change.Position) bool {
	return !c.Until.IsZero() && first.Compare(c.Until) <= 0
}

// Observer hears what the applier did. Its methods are called from several goroutines and must not block.
type Observer interface {
	Committed(Progress)
	Executed(d time.Duration, statements int)
	CommitTook(d time.Duration)
	TableOrdered(table, why string)
	Collected(rows, bytes int) // What the epoch that is being collected holds now.
}

// Progress is a commit of the leader.
type Progress struct {
	Checkpoint   change.Checkpoint
	Epoch        uint64
	Split        bool
	Transactions int    // Source transactions in the epoch.
	Changes      int    // Row changes received.
	Rows         int    // Rows written.
	LogBytes     uint64 // Of the source's log.
	DDL          bool
	Rule         schema.Action // What a rule decided on the DDL; "" without one.
	Held         bool          // The DDL is held until cutover.
	Redefined    bool          // The DDL's object has the applier's account as its definer now.
}

// Applier applies one run of a stream. It is used once.
type Applier struct {
	cfg      Config
	claim    *checkpoint.Claim
	catalog  *schema.Catalog
	meta     *mysqlconn.Session // Table definitions and fingerprints; belongs to the collector, or to the executor while the collector waits for it.
	leaders  [2]*session
	follow   []*session
	ddl      atomic.Pointer[session] // While a DDL runs; its session has no row in the progress table.
	tables   map[schema.Name]*boundTable
	bySource map[*change.TableMap]*boundTable // The same by what the source last sent of them, and maybe by older ones.
	key      []byte                           // Scratch of the collector.
	share    int                              // An epoch far behind is handed over with this part of its bounds, 1/share; belongs to the collector.
	maxSQL   int                              // Largest statement the target takes, in bytes.
	joins    bool                             // The target takes joined updates: see knowsValues.
	loads    bool                             // The target takes LOAD DATA LOCAL; set with the sessions.
	spent    *spentValues                     // Of whoever plans an epoch.
	planned  <-chan struct{}                  // Closed when the last item given to the executor is planned; belongs to the collector.
	// sqlCascades: the target's SQL layer runs the cascades of foreign keys, not InnoDB: see cascadesInSQL.
	sqlCascades bool

	// What follows belongs to the executor. The collector reads cp and gtids only while it recovers a half-done
	// epoch, before the executor has been given anything.
	cp    change.Checkpoint // Behind the last item begun.
	gtids change.GTIDSet
	epoch uint64          // Number of the last item begun.
	half  *checkpoint.End // Set once; nil unless an epoch is half done.
	// unconfirmed is the commit of the epoch before, still under way; nil when confirmed.
	unconfirmed *commit
	executing   []*execution // Epochs of which no COMMIT has been sent, in order: none, one, or two for a moment.

	early chan item // Takes epochs while another one is executed; no buffer: see handOver.
}

// Open takes the sessions of a run, which are being connected, and settles a DDL that the record says was about to run.
// The meta session stays the caller's to close. On error nothing stays open.
func Open(ctx context.Context, cfg Config, sessions *Sessions, meta *mysqlconn.Session, claim *checkpoint.Claim, st checkpoint.State) (*Applier, error) {
	gtids, err := change.ParseGTIDSet(st.Checkpoint.GTIDs)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if cfg.ByName == nil {
		cfg.ByName = ByName{}
	}
	a := &Applier{cfg: cfg, claim: claim, meta: meta, catalog: schema.NewCatalog(meta), tables: map[schema.Name]*boundTable{}, bySource: map[*change.TableMap]*boundTable{}, joins: !meta.MariaDB && knowsValues(meta.Version), spent: newSpentValues(),
		cp: st.Checkpoint, gtids: gtids, epoch: st.Epoch, half: st.HalfDone}
	if st.Epoch > 0 {
		a.spent.unknown()
	}
	if a.sqlCascades, err = cascadesInSQL(ctx, meta); err != nil {
		return nil, err
	}
	if err := a.takeSessions(ctx, sessions); err != nil {
		a.Close()
		return nil, err
	}
	if st.Intent != nil {
		if err := a.settle(ctx, st.Intent); err != nil {
			a.Close()
			return nil, err
		}
	}
	return a, nil
}

// knowsValues reports that a MySQL server takes VALUES as a table, since 8.0.19, and hints of an index, since 8.0.20.
func knowsValues(version string) bool {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return false
	}
	return major > 8 || major == 8 && (minor > 0 || patch >= 20)
}

// Checkpoint is where the source is to be read from. Valid before Run.
func (a *Applier) Checkpoint() change.Checkpoint { return a.cp }

// Record commits a checkpoint in a transaction of its own: the first one of a fresh stream. Valid before Run.
func (a *Applier) Record(ctx context.Context, cp change.Checkpoint) error {
	gtids, err := change.ParseGTIDSet(cp.GTIDs)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	a.cp, a.gtids = cp, gtids
	a.epoch++
	return a.record(ctx, nil)
}

// Run applies what arrives on in until the channel is closed, then finishes the epoch in flight and returns nil.
// A transaction whose last part has not arrived by then is rolled back. When ctx ends, what is in flight is
// abandoned: the target rolls it back, or the next claim finds it committed. Run is called once.
func (a *Applier) Run(ctx context.Context, in <-chan []*change.Txn) error {
	g, ctx := errgroup.WithContext(ctx)
	a.early = make(chan item)
	items := make(chan item) // No buffer: "the applier asks" is the executor being ready to receive.
	g.Go(func() error {
		defer close(items)
		err := a.collect(ctx, &intake{batches: in}, items)
		if err == nil || ctx.Err() != nil {
			return err
		}
		return send(ctx, items, &failure{err: err}) // What is in flight may still finish.
	})
	g.Go(func() error { return a.executeAll(ctx, items) })
	var watch sync.WaitGroup
	watch.Go(func() { a.keepSessionsAlive(ctx) })
	watch.Go(func() { a.endLostSessions(ctx) })
	watch.Go(func() { a.watchTriggers(ctx) })
	err := g.Wait()
	watch.Wait() // errgroup has cancelled ctx.
	return err
}

// Close ends the sessions; what they have not committed the server rolls back.
func (a *Applier) Close() {
	if a.unconfirmed != nil {
		<-a.unconfirmed.done
	}
	for _, s := range a.sessions() {
		s.mu.Lock()
		_ = s.conn.Close()
		s.mu.Unlock()
	}
}

// failure is the collector's error, passed on behind the epochs that came before it: they are whole and right, and
// the operator should find the checkpoint just before the place of the fault.
type failure struct{ err error }

// item is what the collector hands to the executor.
type item interface{ isItem() }

func (*epoch) isItem()   {}
func (*ddlItem) isItem() {}
func (*large) isItem()   {}
func (*failure) isItem() {}
func (beat) isItem()     {}

// beat is a commit of the record alone.
type beat struct{}

func (a *Applier) executeAll(ctx context.Context, items <-chan item) error {
	defer a.abandon()
	for {
		var replied, executed <-chan struct{} // A lost COMMIT must show even when nothing follows it.
		if a.unconfirmed != nil {
			replied = a.unconfirmed.done
		}
		var early <-chan item
		asked := items
		if len(a.executing) > 0 {
			executed, early, asked = a.executing[0].done, a.early, nil
		}
		var err error
		select {
		case <-replied:
			err = a.confirm()
		case <-executed:
			err = a.finish(ctx)
		case it := <-early:
			err = a.apply(ctx, it)
		case it, ok := <-asked:
			if !ok {
				return a.confirm()
			}
			err = a.apply(ctx, it)
		}
		if err != nil {
			return err
		}
	}
}

func (a *Applier) apply(ctx context.Context, it item) error {
	switch it := it.(type) {
	case *epoch:
		return a.applyEpoch(ctx, it)
	case *ddlItem:
		defer close(it.done)
		return a.applyDDL(ctx, it)
	case *large:
		return a.applyLarge(ctx, it)
	case beat:
		return a.applyBeat(ctx)
	case *failure:
		return errors.Join(a.confirm(), it.err)
	}
	return fmt.Errorf("unknown item %T", it)
}

// advance gives the next item its number and moves the checkpoint behind it.
func (a *Applier) advance(end change.Position, gtids change.GTIDSet, commitTime time.Time, undecided change.Undecided) {
	a.epoch++
	a.gtids.Union(gtids)
	if a.filled(end) { // The rows of a created table are part of what is about to be committed.
		a.cp.Created = ""
	}
	a.cp.Pos, a.cp.Undecided = end, undecided
	a.cp.GTIDs = a.gtids.String()
	if !commitTime.IsZero() {
		a.cp.CommitTime = commitTime
	}
	a.cp.CaughtUpAt, a.cp.ClockOffset = a.cfg.Seen()
}

// filled reports whether what is about to be committed, up to end, goes past the transaction that the checkpoint names
// as created. By GTID another source of the same history may have other transactions before it.
func (a *Applier) filled(end change.Position) bool {
	if created, err := change.ParseGTIDSet(a.cp.Created); a.cp.ByGTID && err == nil {
		return a.gtids.Contains(created)
	}
	return end != a.cp.Pos
}

// prove puts the evidence of the last transaction into the checkpoint; one that shows none leaves the one before.
func (a *Applier) prove(e change.Evidence) {
	if !e.IsZero() {
		a.cp.Evidence = e
	}
}

// applyBeat commits the record alone.
func (a *Applier) applyBeat(ctx context.Context) error {
	if err := a.confirm(); err != nil {
		return err
	}
	a.advance(a.cp.Pos, change.GTIDSet{}, a.cp.CommitTime, a.cp.Undecided)
	if err := a.record(ctx, nil); err != nil {
		return a.failed(ctx, &epoch{first: a.cp.Pos, end: a.cp.Pos, transactions: 1}, err, false)
	}
	return nil
}
