package stream

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
)

// bench is a lag clock with a source and a daemon whose clocks are moved by hand.
type bench struct {
	lagClock
	truth  time.Time     // The time.
	source time.Duration // The source's clock minus the truth.
	daemon time.Duration // The daemon's clock minus the truth.
	end    change.Position
	gtids  change.GTIDSet
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newBench() *bench {
	b := &bench{truth: noon, end: at(1000)}
	b.now = func() time.Time { return b.truth.Add(b.daemon) }
	return b
}

func at(n uint64) change.Position { return change.Position{File: "binlog.000001", Pos: n} }

// sourceTime is the source's clock.
func (b *bench) sourceTime() time.Time { return b.truth.Add(b.source) }

func (b *bench) pass(d time.Duration) { b.truth = b.truth.Add(d) }

// ask looks at the source's end, which takes no time here.
func (b *bench) ask() {
	b.look(sample{server: b.applied.Source.ServerUUID, end: b.end, gtids: b.gtids, source: b.sourceTime(), local: b.now()})
}

// write is a transaction of the source up to byte n, committed now.
func (b *bench) write(n uint64) *change.Txn {
	b.end = at(n)
	return &change.Txn{First: true, Last: true, End: b.end, CommitTime: b.sourceTime(), Basis: change.BasisImmediateCommit}
}

// receive notes transactions as read from the source.
func (b *bench) receive(txns ...*change.Txn) {
	for _, t := range txns {
		b.received([]*change.Txn{t})
	}
}

// commit notes that everything up to and with the n-th transaction received is on the target.
func (b *bench) commit(n uint64, t *change.Txn) {
	seen, offset := b.seen()
	b.committed(n, change.Checkpoint{Pos: t.End, CommitTime: t.CommitTime, CaughtUpAt: seen, ClockOffset: offset}, 100)
}

func (b *bench) lag() Lag { return b.report("s", StateStreaming, read{}) }

// wantLag checks lag_seconds to a microsecond, and stale.
func (b *bench) wantLag(t *testing.T, want float64, stale bool) {
	t.Helper()
	lag := b.lag()
	if lag.LagSeconds == nil {
		t.Fatalf("lag is null, want %v", want)
	}
	if math.Abs(*lag.LagSeconds-want) > 2e-6 || lag.Stale != stale {
		t.Fatalf("lag %v, stale %v; want %v, %v", *lag.LagSeconds, lag.Stale, want, stale)
	}
	if zero := *lag.LagSeconds == 0; zero != (want == 0) || zero && stale || lag.CaughtUp != zero {
		t.Fatalf("lag %v, caught up %v, stale %v", *lag.LagSeconds, lag.CaughtUp, lag.Stale)
	}
}

func TestLagIsNullOnlyWhileNothingWasEverKnown(t *testing.T) {
	b := newBench()
	if lag := b.lag(); lag.LagSeconds != nil || !lag.Stale || lag.SourceSampleAgeSeconds != nil || lag.ClockOffsetMS != nil {
		t.Fatalf("%+v", lag)
	}
	if err := b.restart(change.Checkpoint{Pos: at(1000)}); err != nil {
		t.Fatal(err)
	}
	if lag := b.lag(); lag.LagSeconds != nil || !lag.Stale {
		t.Fatalf("a first start, the source not asked yet: %+v", lag)
	}
	b.ask()
	b.wantLag(t, 0, false)
}

func TestLagFollowsTheOldestTransactionThatIsNotOnTheTarget(t *testing.T) {
	b := newBench()
	if err := b.restart(change.Checkpoint{Pos: at(1000)}); err != nil {
		t.Fatal(err)
	}
	b.ask()
	first := b.write(1100)
	b.pass(10 * time.Millisecond)
	second := b.write(1200)
	b.receive(first, second)
	b.wantLag(t, 0.010, false) // The last look says that we cover the end: what was received since knows better.
	b.pass(490 * time.Millisecond)
	b.ask()
	b.wantLag(t, 0.500, false)
	b.commit(1, first)
	b.wantLag(t, 0.490, false)
	b.pass(time.Second)
	b.ask()
	b.wantLag(t, 1.490, false)
	b.commit(2, second)
	b.wantLag(t, 0, false)
}

// TestLagWhileTheSourceIsAheadAndNothingHasArrived: the reader hangs, or is slow. The age of what is missing is not
// known; it is younger than the last moment at which we had everything, and than the last one that we have.
func TestLagWhileTheSourceIsAheadAndNothingHasArrived(t *testing.T) {
	b := newBench()
	if err := b.restart(change.Checkpoint{Pos: at(1000), CommitTime: b.sourceTime().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	b.ask()
	b.wantLag(t, 0, false)
	b.pass(time.Second)
	b.write(2000)
	b.ask()
	b.wantLag(t, 1, false)
	for range 5 {
		b.pass(time.Second)
		b.ask()
	}
	b.wantLag(t, 6, false)
	b.pass(4 * time.Second)
	b.wantLag(t, 10, true)

	fresh := newBench()
	if err := fresh.restart(change.Checkpoint{Pos: at(10), CommitTime: fresh.sourceTime().Add(-time.Minute)}); err != nil {
		t.Fatal(err)
	}
	fresh.ask()
	fresh.wantLag(t, 60, false) // Never caught up: the last applied one bounds it.
}

func TestLagGrowsSecondBySecondWhileTheSourceCannotBeAsked(t *testing.T) {
	b := newBench()
	if err := b.restart(change.Checkpoint{Pos: at(1000)}); err != nil {
		t.Fatal(err)
	}
	b.ask()
	for i := range 20 {
		stale := i > 3
		want := 0.0
		if stale {
			want = float64(i)
		}
		b.wantLag(t, want, stale)
		b.pass(time.Second)
	}
	b.ask()
	b.wantLag(t, 0, false)
	b.pass(3*time.Second + time.Millisecond)
	b.wantLag(t, 3.001, true)
	for _, state := range []State{StateReconnecting, StateHalted, StateStarting} {
		if lag := b.report("s", state, read{}); lag.CaughtUp || !lag.Stale || *lag.LagSeconds < 3 {
			t.Errorf("%s: %+v", state, lag)
		}
	}
}

// TestASlowAnswerAgesTheLook: the source's end was asked before its answer came.
func TestASlowAnswerAgesTheLook(t *testing.T) {
	b := newBench()
	if err := b.restart(change.Checkpoint{Pos: at(1000)}); err != nil {
		t.Fatal(err)
	}
	asked := sample{end: b.end, source: b.sourceTime(), local: b.now(), roundTrip: 2 * time.Second}
	b.pass(2 * time.Second)
	b.look(asked)
	b.wantLag(t, 0, false)
	b.pass(1500 * time.Millisecond)
	b.wantLag(t, 3.5, true)
}

func TestLagSurvivesARestartWhileTheSourceCannotBeAsked(t *testing.T) {
	before := newBench()
	before.source = 90 * time.Minute
	if err := before.restart(change.Checkpoint{Pos: at(1000)}); err != nil {
		t.Fatal(err)
	}
	before.ask()
	txn := before.write(1100)
	before.receive(txn)
	before.ask()
	before.commit(1, txn)
	seen, offset := before.seen()
	record := change.Checkpoint{Pos: txn.End, CommitTime: txn.CommitTime, CaughtUpAt: seen, ClockOffset: offset}
	if !seen.Equal(before.sourceTime()) || offset != 90*time.Minute {
		t.Fatalf("the record keeps %s, %s", seen, offset)
	}

	after := newBench() // Another process; its source is down.
	after.truth, after.source = before.truth, before.source
	after.pass(10 * time.Minute)
	if err := after.restart(record); err != nil {
		t.Fatal(err)
	}
	after.wantLag(t, 600, true)
	after.pass(time.Second)
	after.wantLag(t, 601, true)

	// A restart within one process knows more than an old record.
	before.pass(time.Second)
	before.ask()
	if err := before.restart(record); err != nil {
		t.Fatal(err)
	}
	if seen, _ := before.seen(); !seen.Equal(before.sourceTime()) {
		t.Errorf("forgotten: caught up at %s", seen)
	}
}

// TestARecordThatNeverCaughtUpStillTellsTheClocksApart: without it a daemon whose clock is behind would report an age
// of nothing.
func TestARecordThatNeverCaughtUpStillTellsTheClocksApart(t *testing.T) {
	b := newBench()
	b.source = time.Hour
	if err := b.restart(change.Checkpoint{Pos: at(10), CommitTime: b.sourceTime().Add(-time.Minute), ClockOffset: time.Hour}); err != nil {
		t.Fatal(err)
	}
	b.wantLag(t, 60, true)
}

func TestTheDaemonsClockMayBeWrongByHours(t *testing.T) {
	for name, daemon := range map[string]time.Duration{"an hour ahead": time.Hour, "an hour behind": -time.Hour, "a year behind": -365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.daemon, b.source = daemon, 7*time.Second
			if err := b.restart(change.Checkpoint{Pos: at(1000)}); err != nil {
				t.Fatal(err)
			}
			b.ask()
			b.wantLag(t, 0, false)
			txn := b.write(1100)
			b.receive(txn)
			b.pass(2 * time.Second)
			b.ask()
			b.wantLag(t, 2, false)
			b.pass(10 * time.Second)
			b.wantLag(t, 12, true)
			want := float64((b.source - daemon).Microseconds()) / 1000
			if got := *b.lag().ClockOffsetMS; got != want {
				t.Errorf("offset %v ms, want %v", got, want)
			}
		})
	}
}

// TestOneBadMeasurementOfTheClocksDoesNotCount: the offset is the median of nine looks.
func TestOneBadMeasurementOfTheClocksDoesNotCount(t *testing.T) {
	b := newBench()
	for i := range 30 {
		local := b.now()
		if i%4 == 3 {
			local = local.Add(time.Duration(i) * time.Second)
		}
		b.look(sample{server: b.applied.Source.ServerUUID, end: b.end, source: b.sourceTime(), local: local})
		if _, offset := b.seen(); i > 8 && offset != 0 {
			t.Fatalf("look %d: offset %s", i, offset)
		}
		b.pass(time.Second)
	}
}

// TestLagIsNeverZeroForATransactionFromTheFuture: the clocks are known to some milliseconds only.
func TestLagIsNeverZeroForATransactionFromTheFuture(t *testing.T) {
	b := newBench()
	if err := b.restart(change.Checkpoint{Pos: at(1000)}); err != nil {
		t.Fatal(err)
	}
	b.ask()
	txn := b.write(1100)
	txn.CommitTime = txn.CommitTime.Add(5 * time.Millisecond)
	b.receive(txn)
	b.ask()
	b.wantLag(t, 1e-6, false)
}

// TestThinnedTransactionsKeepTheOldestTime: transactions of one millisecond share an entry.
func TestThinnedTransactionsKeepTheOldestTime(t *testing.T) {
	b := newBench()
	if err := b.restart(change.Checkpoint{Pos: at(1000)}); err != nil {
		t.Fatal(err)
	}
	var txns []*change.Txn
	for i, offset := range []time.Duration{500, 0, 900, 1400, 100_000} { // Microseconds; not in order.
		txn := b.write(1100 + uint64(i))
		txn.CommitTime = noon.Add(offset * time.Microsecond)
		txns = append(txns, txn)
	}
	b.pass(time.Second)
	b.receive(txns...)
	b.ask()
	b.wantLag(t, 1, false)
	b.commit(2, txns[1])
	b.wantLag(t, 1, false) // Part of an entry is not enough.
	b.commit(4, txns[3])
	b.wantLag(t, 0.9, false)
	b.receive(&change.Txn{First: true, Last: true}) // The begin of a log file has no time and no part in the lag.
	b.commit(5, txns[4])
	b.wantLag(t, 0, false)
}

// TestLagIsNeverBetterThanItIs (invariant 8), against a source that writes, a daemon that reads, commits, asks and
// restarts at random.
func TestLagIsNeverBetterThanItIs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := newBench()
		b.daemon = time.Duration(rapid.Int64Range(-7200, 7200).Draw(r, "daemon's clock")) * time.Second
		if err := b.restart(change.Checkpoint{Pos: b.end}); err != nil {
			r.Fatal(err)
		}
		b.ask()
		var written []*change.Txn // By the source, in order.
		var numbers []uint64      // Sequence number of each received one.
		applied, asked := 0, b.truth
		record := change.Checkpoint{Pos: b.end}
		for range 60 {
			switch rapid.SampledFrom([]string{"write", "write", "receive", "receive", "commit", "ask", "pass", "pass", "long", "restart"}).Draw(r, "what") {
			case "write":
				written = append(written, b.write(b.end.Pos+100))
			case "receive":
				if n := len(numbers); n < len(written) {
					b.receive(written[n])
					numbers = append(numbers, b.sequence())
				}
			case "commit":
				if applied < len(numbers) {
					applied = rapid.IntRange(applied+1, len(numbers)).Draw(r, "up to")
					last := written[applied-1]
					seen, offset := b.seen()
					record = change.Checkpoint{Pos: last.End, CommitTime: last.CommitTime, CaughtUpAt: seen, ClockOffset: offset}
					b.committed(numbers[applied-1], record, 100)
				}
			case "ask":
				b.ask()
				asked = b.truth
			case "pass":
				b.pass(time.Duration(rapid.Int64Range(1, 900).Draw(r, "ms")) * time.Millisecond)
			case "long":
				b.pass(5 * time.Second)
			case "restart":
				numbers = slices.Clone(numbers[:applied])
				if err := b.restart(record); err != nil {
					r.Fatal(err)
				}
			}
			checkLag(r, b, written[applied:], asked)
		}
	})
}

// checkLag holds the report against what is missing on the target.
func checkLag(r *rapid.T, b *bench, missing []*change.Txn, asked time.Time) {
	r.Helper()
	lag := b.lag()
	if lag.LagSeconds == nil {
		r.Fatal("null although the stream has been caught up")
	}
	stale := b.truth.Sub(asked) > freshFor
	if lag.Stale != stale {
		r.Fatalf("stale %v, asked %s ago", lag.Stale, b.truth.Sub(asked))
	}
	if stale && *lag.LagSeconds < b.truth.Sub(asked).Seconds()-1e-6 {
		// Unknown since then; what was committed meanwhile does not tell that nothing else was.
		r.Fatalf("lag %v, not asked for %s", *lag.LagSeconds, b.truth.Sub(asked))
	}
	if *lag.LagSeconds == 0 && lag.ETAState != ETACaughtUp || lag.ETAState == ETACaughtUp && *lag.LagSeconds != 0 {
		r.Fatalf("lag %v and %s", *lag.LagSeconds, lag.ETAState)
	}
	if len(missing) == 0 {
		return
	}
	if missing[0].CommitTime.Before(asked) && *lag.LagSeconds == 0 {
		r.Fatalf("0, and a transaction from before the last look is missing")
	}
	if age := b.truth.Sub(missing[0].CommitTime).Seconds(); *lag.LagSeconds != 0 && *lag.LagSeconds < age-2e-6 {
		r.Fatalf("lag %v, and a transaction of %v s is missing", *lag.LagSeconds, age)
	}
}

func gtidSet(t *testing.T, text string) change.GTIDSet {
	t.Helper()
	s, err := change.ParseGTIDSet(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestByGTIDThePositionDoesNotMatter(t *testing.T) {
	id := uuid.UUID{1}.String()
	cases := map[string]struct {
		applied, end string
		caughtUp     bool
		behind       int64
	}{
		"all there":                        {id + ":1-10", id + ":1-10", true, 0},
		"more than the source has":         {id + ":1-11", id + ":1-10", true, 0},
		"one missing":                      {id + ":1-9", id + ":1-10", false, 1},
		"a gap":                            {id + ":1-4:6-10", id + ":1-10", false, 1},
		"a tag of its own":                 {id + ":1-10", id + ":1-10:blue:1-3", false, 3},
		"another server of the same group": {id + ":1-10", id + ":1-10," + uuid.UUID{2}.String() + ":1-5", false, 5},
		"nothing written yet":              {"", "", true, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.gtids = gtidSet(t, c.end)
			// A start by GTID has no position before its first commit.
			if err := b.restart(change.Checkpoint{GTIDs: c.applied, ByGTID: true, CommitTime: b.sourceTime().Add(-time.Second)}); err != nil {
				t.Fatal(err)
			}
			b.ask()
			lag := b.lag()
			if lag.CaughtUp != c.caughtUp || (*lag.LagSeconds == 0) != c.caughtUp {
				t.Errorf("caught up %v, lag %v", lag.CaughtUp, *lag.LagSeconds)
			}
			if lag.Behind.Transactions != c.behind || !lag.Behind.Exact || (lag.Behind.Bytes == 0) != c.caughtUp {
				t.Errorf("behind %+v, want %d", lag.Behind, c.behind)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	file := func(n string, pos uint64) change.Position { return change.Position{File: "binlog." + n, Pos: pos} }
	sizes := map[string]uint64{"binlog.000001": 1000, "binlog.000002": 2000, "binlog.000003": 500, "binlog.000004": 70}
	cases := map[string]struct {
		from, to change.Position
		sizes    map[string]uint64
		want     uint64
	}{
		"nowhere to go":                            {file("000003", 400), file("000003", 400), sizes, 0},
		"ahead of the last look":                   {file("000003", 400), file("000003", 300), sizes, 0},
		"in one file":                              {file("000003", 100), file("000003", 400), sizes, 300},
		"in one file beyond 4 GiB":                 {file("000003", 100), file("000003", 1<<33), sizes, 1<<33 - 100},
		"into the next file":                       {file("000001", 900), file("000002", 50), sizes, 150},
		"over two files between":                   {file("000001", 900), file("000004", 50), sizes, 100 + 2000 + 500 + 50},
		"sizes not known: the largest known place": {file("000001", 900), file("000003", 300), nil, 0 + 900 + 300},
		"one between not known":                    {file("000001", 900), file("000003", 50), map[string]uint64{"binlog.000001": 1000}, 100 + 1000 + 50},
		"a file that has grown since":              {file("000004", 90), file("000005", 10), sizes, 10},
		"over the seventh digit":                   {file("999999", 10), file("1000000", 20), map[string]uint64{"binlog.999999": 30}, 40},
		"started by GTID, nothing applied: every file may be needed": {change.Position{}, file("000004", 60), sizes, 1000 + 2000 + 500 + 60},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := lagClock{applied: change.Checkpoint{Pos: c.from}, sizes: c.sizes}
			if got := l.distance(c.to); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestSizesAreAskedOnlyWhenTheyAreNeeded(t *testing.T) {
	b := newBench()
	if err := b.restart(change.Checkpoint{Pos: at(10)}); err != nil {
		t.Fatal(err)
	}
	b.ask()
	if b.needSizes() {
		t.Error("within one file")
	}
	b.end = change.Position{File: "binlog.000002", Pos: 4}
	b.ask()
	if !b.needSizes() {
		t.Error("into another file whose size is not known")
	}
	b.logSizes(map[string]uint64{"binlog.000001": 100, "binlog.000002": 4})
	if b.needSizes() {
		t.Error("known by now")
	}
}

// TestEstimates: a source that writes 1000 bytes a second and a stream that applies more, less, or in bursts.
func TestEstimates(t *testing.T) {
	cases := map[string]struct {
		apply func(i int) uint64 // Bytes applied in second i.
		want  ETAState
	}{
		"three times as fast":   {func(int) uint64 { return 3000 }, ETAOK},
		"as fast as the source": {func(int) uint64 { return 1000 }, ETANever},
		"slower":                {func(int) uint64 { return 300 }, ETANever},
		"in bursts":             {func(i int) uint64 { return 100 + uint64(i%2)*8000 }, ETAUnstable},
		"not at all":            {func(int) uint64 { return 0 }, ETAUnstable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.end = at(10_000_000)
			if err := b.restart(change.Checkpoint{Pos: at(4), CommitTime: b.sourceTime()}); err != nil {
				t.Fatal(err)
			}
			done := uint64(4)
			for i := range 120 {
				b.ask()
				b.pass(time.Second)
				b.end.Pos += 1000
				if n := c.apply(i); n > 0 {
					done += n
					b.committed(0, change.Checkpoint{Pos: at(done), CommitTime: b.sourceTime()}, n)
				}
			}
			b.ask()
			lag := b.lag()
			if lag.ETAState != c.want || (lag.ETASeconds == nil) != (c.want == ETANever || c.apply(0) == 0) {
				t.Fatalf("%s, %v", lag.ETAState, lag.ETASeconds)
			}
			if c.want == ETAOK {
				left := float64(b.end.Pos - done)
				if diff := cmp.Diff([]float64{left / 3000, left / 2000}, []float64{*lag.DrainSeconds, *lag.ETASeconds}, within(0.01)); diff != "" {
					t.Error(diff)
				}
			}
			b.pass(5 * time.Second)
			if lag := b.lag(); lag.ETAState != ETAUnstable || lag.DrainSeconds != nil || lag.ETASeconds != nil {
				t.Errorf("the source cannot be asked, and yet %s, %v, %v", lag.ETAState, lag.DrainSeconds, lag.ETASeconds)
			}
		})
	}
}

// within compares to a part of the value.
func within(part float64) cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= part*max(math.Abs(a), math.Abs(b)) })
}

func TestAnEstimateNeedsARate(t *testing.T) {
	b := newBench()
	b.end = at(10_000)
	if err := b.restart(change.Checkpoint{Pos: at(4), CommitTime: b.sourceTime()}); err != nil {
		t.Fatal(err)
	}
	b.ask()
	if lag := b.lag(); lag.ETAState != ETAUnstable || lag.ETASeconds != nil || lag.DrainSeconds != nil {
		t.Errorf("%s, %v, %v", lag.ETAState, lag.ETASeconds, lag.DrainSeconds)
	}
}

// The end of a backlog is where the source's end was a moment ago; of an older look, or of another server's log, nothing is said.
func TestTheEndIsWhereItWasSeenAMomentAgo(t *testing.T) {
	b := newBench()
	want := func(when string, pos change.Position, want bool) {
		t.Helper()
		if got := b.atEnd(pos); got != want {
			t.Errorf("%s: at the end: %v", when, got)
		}
	}
	want("never asked", at(1000), false)
	b.ask()
	want("before the end", at(999), false)
	want("at the end", at(1000), true)
	want("behind the end", at(1001), true)
	b.pass(freshFor)
	want("seen 3 s ago", at(1000), true)
	b.pass(time.Nanosecond)
	want("seen longer ago", at(1000), false)
	b.ask()
	b.lookFirst(sample{server: b.applied.Source.ServerUUID, end: at(500), source: b.sourceTime(), local: b.now()})
	want("a start's look that was slower", at(500), false)
	want("asked again", at(1000), true)
	if err := b.restart(change.Checkpoint{Source: change.Source{ServerUUID: "other"}}); err != nil {
		t.Fatal(err)
	}
	want("another server", at(1000), false)
}
