package stream

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/binseal/binseal/change"
)

// freshFor is how long a look at the source's end counts (facts/reliability.md §6.3: S sampled ≤ 3 s ago).
const freshFor = 3 * time.Second

// waiting is a received transaction that is not yet committed on the target.
type waiting struct {
	seq    uint64
	commit time.Time // On the source's clock.
}

// lagClock knows how far the target is behind the source. Everything is measured on the source's clock; the
// daemon's own is used only for differences, so it may be wrong by hours. Safe for concurrent use.
type lagClock struct {
	now func() time.Time // With a monotonic reading.

	mu sync.Mutex // Guards everything below.

	// The source's end, as last asked.
	sampled  bool
	askedAt  time.Time // The same moment as sourceAt, on the local clock.
	sourceAt time.Time // Source's clock just before its end was asked.
	end      change.Position
	endGTIDs change.GTIDSet
	sizes    map[string]uint64 // Of the source's log files.
	offsets  []clockOffset     // The last nine.
	// offset from the record, until the first sample of this process.
	recorded time.Duration
	// frozen: whatever the source's end is, the target does not come to have it. The stream has halted, or the end has gone back:
	// the source has lost a part of its log, and what it writes now bears numbers that the checkpoint already covers.
	frozen bool

	// What was received and not yet committed, oldest first, thinned: see received.
	queue    []waiting
	seq      uint64
	basis    change.LagBasis
	applied  change.Checkpoint
	gtids    change.GTIDSet // Parsed from applied, with the undecided: see settled.
	caughtUp time.Time      // Source's clock; zero when never known.
	caughtAt time.Time      // The same moment on the local clock; zero when it is from the record.

	rates rates
}

type clockOffset struct{ offset, roundTrip time.Duration }

// thin is how close in time two received transactions may be to share an entry of the queue: the entry's time is
// the older one's, so lag is never understated (invariant 8).
const thin = time.Millisecond

// restart forgets what was in flight: a run begins at the checkpoint.
func (l *lagClock) restart(cp change.Checkpoint) error {
	gtids, err := settled(cp)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.applied.Source.ServerUUID != cp.Source.ServerUUID { // What was seen of another server says nothing about this one.
		l.sampled, l.frozen, l.end, l.endGTIDs, l.sizes, l.offsets, l.rates = false, false, change.Position{}, change.GTIDSet{}, nil, nil, rates{}
	}
	l.queue, l.gtids = nil, gtids
	l.recorded = cp.ClockOffset
	l.apply(cp)
	if cp.CaughtUpAt.After(l.caughtUp) {
		l.caughtUp, l.caughtAt = cp.CaughtUpAt, time.Time{}
	}
	return nil
}

// clockError is how far two clocks' difference may be from what the looks at the source say.
const clockError = 100 * time.Millisecond

// apply takes a checkpoint as the one that the target has. Its commit time is forgotten where it lies in the future, as a
// session's SET timestamp can make it on sources that have no commit time in their log: it would hide how old the rest is.
func (l *lagClock) apply(cp change.Checkpoint) {
	if cp.CommitTime.Sub(l.now().Add(l.offset())) > clockError {
		cp.CommitTime = time.Time{}
	}
	l.applied = cp
}

// freeze is called when the stream halts.
func (l *lagClock) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = true
}

// received notes whole transactions, and the first parts of others, and gives each its place in the order.
func (l *lagClock) received(batch []*change.Txn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().Add(l.offset())
	for _, t := range batch {
		if t.First {
			l.enqueue(t, now)
		}
	}
}

// enqueue notes a transaction that has come at a moment of the source's clock.
func (l *lagClock) enqueue(t *change.Txn, now time.Time) {
	l.seq++
	if t.CommitTime.IsZero() {
		return // Only a place in the log.
	}
	l.basis = t.Basis
	commit := t.CommitTime
	if commit.After(now) { // It cannot be younger than its arrival.
		commit = now
	}
	if n := len(l.queue); n > 0 && commit.Sub(l.queue[n-1].commit).Abs() < thin {
		l.queue[n-1].seq = l.seq
		if commit.Before(l.queue[n-1].commit) { // Commit times need not be in the log's order.
			l.queue[n-1].commit = commit
		}
		return
	}
	l.queue = append(l.queue, waiting{seq: l.seq, commit: commit})
}

// nearby is how old a transaction is at most that was committed a moment ago.
const nearby = 5 * time.Second

// near reports whether a transaction was committed on the source a moment ago.
func (l *lagClock) near(commit time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now().Add(l.offset()).Sub(commit) < nearby
}

// atEnd reports whether a position is at or behind the source's end as seen a moment ago.
func (l *lagClock) atEnd(pos change.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sampled && l.now().Sub(l.askedAt) <= freshFor && pos.Compare(l.end) >= 0
}

// sequence is the number of transactions received, to be handed to committed.
func (l *lagClock) sequence() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// committed notes that the first n received transactions are on the target, up to cp.
func (l *lagClock) committed(n uint64, cp change.Checkpoint, logBytes uint64) {
	gtids, err := settled(cp)
	if err != nil {
		return // Rendered by us a moment ago.
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearchFunc(l.queue, n, func(w waiting, n uint64) int {
		if w.seq <= n {
			return -1
		}
		return 1
	})
	l.queue = slices.Delete(l.queue, 0, i)
	l.gtids = gtids
	l.apply(cp)
	l.rates.applied += logBytes
	l.know()
}

// settled is the set of transactions whose outcome the target has: the executed ones, and the XA PREPAREs that are not
// decided, which nobody can see on the source. Where the source has decided one since, the decision's own GTID is
// missing.
func settled(cp change.Checkpoint) (change.GTIDSet, error) {
	gtids, err := change.ParseGTIDSet(cp.GTIDs)
	if err != nil {
		return gtids, err
	}
	undecided, err := cp.Undecided.Members()
	for _, g := range undecided {
		gtids.Add(g) // Of MariaDB, the position has it.
	}
	return gtids, err
}

// know moves caughtUp forward when the checkpoint covers the end last seen.
func (l *lagClock) know() {
	if l.sampled && l.covered() && l.sourceAt.After(l.caughtUp) {
		l.caughtUp, l.caughtAt = l.sourceAt, l.askedAt
	}
}

// covered reports whether the checkpoint covers the source's end as last seen, and the target follows that end.
func (l *lagClock) covered() bool {
	switch {
	case l.frozen:
		return false
	case l.applied.ByGTID:
		return l.gtids.Contains(l.endGTIDs)
	default:
		return l.applied.Pos.Compare(l.end) >= 0
	}
}

// wentBack reports whether an end of the source lies before the one seen last. A domain of MariaDB may be taken out of the set
// (FLUSH BINARY LOGS DELETE_DOMAIN_ID) and is not lost then.
func (l *lagClock) wentBack(s sample) bool {
	domains := s.gtids.Domains()
	switch {
	case !l.applied.ByGTID:
		return s.end.Compare(l.end) < 0
	case len(domains) > 0:
		return slices.ContainsFunc(domains, func(d uint32) bool { return s.gtids.Last(d).GNO < l.endGTIDs.Last(d).GNO })
	default:
		return !s.gtids.Contains(l.endGTIDs)
	}
}

// sample is one look at the source's end.
type sample struct {
	server    string // server_uuid of who was asked.
	end       change.Position
	gtids     change.GTIDSet
	source    time.Time // Source's clock just before.
	local     time.Time // Local clock at the same moment.
	roundTrip time.Duration
}

func (l *lagClock) look(s sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.see(s)
}

// lookFirst is look for what a start has asked: a look that was quicker stays.
func (l *lagClock) lookFirst(s sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.sampled {
		l.see(s)
	}
}

func (l *lagClock) see(s sample) {
	if s.server != l.applied.Source.ServerUUID {
		return // The source has been switched meanwhile.
	}
	l.rates.tick(s.local, l.end, s.end, !l.covered())
	l.frozen = l.frozen || l.sampled && l.wentBack(s)
	if l.caughtUp.After(s.source) { // The source's clock was set back, or this server's is behind the last one's.
		if l.caughtUp = (time.Time{}); !l.caughtAt.IsZero() {
			l.caughtUp = s.source.Add(-s.local.Sub(l.caughtAt))
		}
	}
	l.sampled, l.askedAt, l.sourceAt = true, s.local, s.source
	l.end, l.endGTIDs = s.end, s.gtids
	l.offsets = append(l.offsets, clockOffset{offset: s.source.Sub(s.local), roundTrip: s.roundTrip})
	if len(l.offsets) > 9 {
		l.offsets = l.offsets[1:]
	}
	l.know()
}

func (l *lagClock) logSizes(sizes map[string]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sizes = sizes
}

// needSizes reports whether the distance spans files whose sizes are not known.
func (l *lagClock) needSizes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.applied.Pos.File == l.end.File {
		return false
	}
	_, ok := l.sizes[l.applied.Pos.File]
	return !ok || len(l.sizes) == 0
}

// offset is the source's clock minus ours: the median of the last looks, or the record's.
func (l *lagClock) offset() time.Duration {
	if len(l.offsets) == 0 {
		return l.recorded
	}
	all := make([]time.Duration, len(l.offsets))
	for i, o := range l.offsets {
		all[i] = o.offset
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// seen is what goes into the record.
func (l *lagClock) seen() (caughtUpAt time.Time, clockOffset time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.caughtUp, l.offset()
}

// read is what the reader has received.
type read struct {
	pos   change.Position
	gtids change.GTIDSet
}

// report derives the figures of /lag.
func (l *lagClock) report(name string, state State, r read) Lag {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	offset := l.offset()
	lag := Lag{Stream: name, State: state, Basis: l.basis, ServerUUID: l.applied.Source.ServerUUID, PreparedXA: l.applied.Undecided.Count, ObservedAt: now.UTC(),
		Read:    Mark{File: r.pos.File, Pos: r.pos.Pos, GTID: r.gtids.String()},
		Applied: Mark{File: l.applied.Pos.File, Pos: l.applied.Pos.Pos, GTID: l.applied.GTIDs}}
	if lag.Basis == "" {
		lag.Basis = change.BasisImmediateCommit
	}
	lag.Stale = true
	if l.sampled {
		age := now.Sub(l.askedAt)
		lag.Stale = age > freshFor
		lag.SourceSampleAgeSeconds = seconds(age)
		ms := float64(offset.Microseconds()) / 1000
		lag.ClockOffsetMS = &ms
		lag.SourceEnd = Mark{File: l.end.File, Pos: l.end.Pos, GTID: l.endGTIDs.String()}
		lag.Behind = l.behind(r)
	}
	known := l.sampled && (l.applied.ByGTID || !l.applied.Pos.IsZero())
	if known && !lag.Stale && l.covered() && len(l.queue) == 0 { // What came after the look waits in the queue.
		lag.LagSeconds = seconds(0)
		lag.CaughtUp = state == StateStreaming
	} else {
		lag.LagSeconds = l.since(now.Add(offset), lag.Stale)
	}
	l.estimate(&lag, known)
	return lag
}

// since is the age of the oldest transaction that is not on the target. Where it has not been received yet, it is
// younger than the moment at which we last knew that we had caught up, and than the last applied transaction: the
// later of the two bounds its age from above. Nil when nothing was ever known.
func (l *lagClock) since(sourceNow time.Time, stale bool) *float64 {
	var oldest time.Time
	switch {
	case len(l.queue) > 0 && !stale:
		oldest = l.queue[0].commit
	case len(l.queue) > 0 && (l.caughtUp.IsZero() || l.queue[0].commit.Before(l.caughtUp)):
		oldest = l.queue[0].commit
	case !l.caughtUp.IsZero():
		oldest = l.caughtUp
		if !stale && l.applied.CommitTime.After(oldest) {
			oldest = l.applied.CommitTime
		}
	case !l.applied.CommitTime.IsZero():
		oldest = l.applied.CommitTime
	default:
		return nil
	}
	// Clocks are known to a few milliseconds only, and 0 is said only of a stream that has caught up (invariant 8).
	return seconds(max(sourceNow.Sub(oldest), time.Microsecond))
}

// behind is the distance to the source's end, or to what was read where that is further: the end was asked up to a
// second ago.
func (l *lagClock) behind(r read) *Behind {
	b := &Behind{Exact: l.applied.ByGTID}
	end := l.end
	if r.pos.Compare(end) > 0 {
		end = r.pos
	}
	if l.applied.ByGTID {
		all := l.endGTIDs.Clone()
		all.Union(r.gtids)
		b.Transactions = all.CountMissing(l.gtids)
		if b.Transactions == 0 {
			return b
		}
	} else {
		b.Transactions = int64(len(l.queue)) // Thinned, so at least so many.
	}
	b.Bytes = l.distance(end)
	return b
}

// distance is the length of the source's log from the checkpoint to a position, over all files between. A file whose
// size is not known yet counts as the largest known one.
func (l *lagClock) distance(to change.Position) uint64 {
	from := l.applied.Pos
	if from.Compare(to) >= 0 {
		return 0
	}
	if from.File == to.File {
		return to.Pos - from.Pos
	}
	largest := max(from.Pos, to.Pos)
	for _, size := range l.sizes {
		largest = max(largest, size)
	}
	if from.IsZero() { // Started by GTID, nothing applied yet: all files that the source keeps may be needed.
		sum := to.Pos
		for name, size := range l.sizes {
			if name != to.File {
				sum += size
			}
		}
		return sum
	}
	first, ok := l.sizes[from.File]
	if !ok {
		first = largest
	}
	sum := to.Pos + first - min(first, from.Pos)
	between := int64(change.FileNumber(to.File)) - int64(change.FileNumber(from.File)) - 1
	for name, size := range l.sizes {
		p := change.Position{File: name}
		if name != from.File && name != to.File && p.Compare(from) > 0 && p.Compare(to) < 0 {
			sum += size
			between--
		}
	}
	return sum + uint64(max(between, 0))*largest
}

// estimate fills in the drain time and the ETA.
func (l *lagClock) estimate(lag *Lag, known bool) {
	if !known || lag.Stale { // How far the source has gone on is not known.
		lag.ETAState = ETAUnstable
		return
	}
	if lag.Behind.Bytes == 0 && lag.LagSeconds != nil && *lag.LagSeconds == 0 {
		lag.DrainSeconds, lag.ETASeconds, lag.ETAState = seconds(0), seconds(0), ETACaughtUp
		return
	}
	apply, produce := l.rates.apply.mean, l.rates.produce.mean
	if apply <= 0 || lag.Behind.Bytes == 0 { // No rate yet, or positions that cannot be compared, as after a failover of the source.
		lag.ETAState = ETAUnstable
		return
	}
	bytes := float64(lag.Behind.Bytes) // Known: see report.
	drain := bytes / apply
	lag.DrainSeconds = &drain
	if apply <= 1.02*produce {
		lag.ETAState = ETANever
		return
	}
	eta := bytes / (apply - produce)
	lag.ETASeconds = &eta
	lag.ETAState = ETAOK
	if l.rates.apply.unstable() {
		lag.ETAState = ETAUnstable
	}
}

func seconds(d time.Duration) *float64 {
	s := math.Round(d.Seconds()*1e6) / 1e6
	return &s
}
