package stream

import (
	"testing"
	"time"

	"github.com/binseal/binseal/change"
)

// begin lets the bench's target have what its source has.
func (b *bench) begin(t *testing.T) {
	t.Helper()
	if err := b.restart(change.Checkpoint{Pos: b.end, ByGTID: !b.gtids.IsEmpty(), GTIDs: b.gtids.String()}); err != nil {
		t.Fatal(err)
	}
	b.ask()
	b.wantLag(t, 0, false)
}

// A halted stream applies nothing more, even where its checkpoint covers all that the source says it has: a source that has lost a
// part of its log, or that writes without GTIDs now, says so.
func TestAHaltedStreamFallsBehind(t *testing.T) {
	b := newBench()
	b.gtids = gtidSet(t, "8a94f357-aab4-11df-86ab-c80aa9429562:1-1000")
	b.begin(t)
	b.freeze()
	for range 3 {
		b.pass(time.Minute)
		b.ask()
	}
	if lag := b.report("s", StateHalted, read{}); lag.LagSeconds == nil || *lag.LagSeconds != 180 || lag.CaughtUp || lag.ETAState == ETACaughtUp {
		t.Errorf("three minutes behind its halt: %+v", lag)
	}
}

// What a source has that has lost a part of its log is covered by the checkpoint, and is not what the checkpoint has.
func TestLagGrowsWhenTheSourcesEndGoesBack(t *testing.T) {
	const u = "8a94f357-aab4-11df-86ab-c80aa9429562"
	for name, c := range map[string]struct {
		before, after string // GTID sets; "" where the stream goes by position.
		end           change.Position
		grows         bool
	}{
		"by GTID":                   {u + ":1-1000", u + ":1-5", at(100), true},
		"by GTID, emptied":          {u + ":1-1000", "", at(100), true},
		"by position":               {"", "", at(999), true},
		"by position, in a file":    {"", "", change.Position{File: "binlog.000000", Pos: 5000}, true},
		"MariaDB":                   {"0-1-1000", "0-1-5", at(100), true},
		"MariaDB, emptied":          {"0-1-1000", "", at(100), true},
		"MariaDB, without a domain": {"0-1-1000,1-1-7", "0-1-1000", at(1000), false},
		"renamed files, by GTID":    {u + ":1-1000", u + ":1-1000", change.Position{File: "bin.000000", Pos: 4}, false},
		"the same":                  {u + ":1-1000", u + ":1-1000", at(1000), false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.gtids = gtidSet(t, c.before)
			b.begin(t)
			b.pass(time.Second)
			b.gtids, b.end = gtidSet(t, c.after), c.end
			b.ask()
			b.pass(time.Second)
			b.ask()
			want := 0.0
			if c.grows {
				want = 2
			}
			b.wantLag(t, want, false)
			if err := b.restart(b.applied); err != nil { // The next run meets the same source.
				t.Fatal(err)
			}
			b.ask()
			b.wantLag(t, want, false)
		})
	}
}

// A session's SET timestamp can make a transaction of the future on a source whose log has no commit times.
func TestTransactionsOfTheFutureHideNothing(t *testing.T) {
	b := newBench()
	b.source = 3 * time.Hour
	b.begin(t)
	future := b.write(1100)
	future.CommitTime = future.CommitTime.Add(time.Hour)
	next := b.write(1200)
	b.receive(future, next)
	b.pass(10 * time.Second)
	b.ask()
	b.wantLag(t, 10, false) // Both wait.
	b.commit(1, future)
	b.wantLag(t, 10, false)
	b.commit(2, next)
	b.wantLag(t, 0, false)

	again := b.write(1300)
	again.CommitTime = again.CommitTime.Add(time.Hour)
	b.receive(again)
	b.commit(3, again)
	b.pass(time.Second)
	b.write(1400) // Not received.
	b.pass(20 * time.Second)
	b.ask()
	b.wantLag(t, 21, false) // Since the last time that the target had all, and not since an hour from now.
	if err := b.restart(change.Checkpoint{Pos: at(1300), CommitTime: again.CommitTime, CaughtUpAt: b.caughtUp, ClockOffset: 3 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	b.wantLag(t, 21, false)
}

// The source's clock is set back, or a server takes its place whose clock is behind.
func TestLagWhenTheSourcesClockIsSetBack(t *testing.T) {
	b := newBench()
	b.begin(t)
	b.pass(10 * time.Second)
	b.write(1100) // Not received.
	b.source = -time.Hour
	for range 9 { // The median of the clocks' difference follows.
		b.ask()
	}
	b.wantLag(t, 10, false)
	b.pass(time.Minute)
	b.ask()
	b.wantLag(t, 70, false)

	other := newBench() // From a record that an hour from now has written.
	if err := other.restart(change.Checkpoint{Pos: other.end, CaughtUpAt: noon.Add(time.Hour), CommitTime: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	other.write(1100)
	other.ask()
	if lag := other.lag(); lag.LagSeconds != nil {
		t.Errorf("lag %v, and nothing is known", *lag.LagSeconds)
	}
}
