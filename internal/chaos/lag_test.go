package chaos

import (
	"math"
	"testing"
	"time"

	"github.com/binseal/binseal/stream"
)

// reading is one answer of GET /lag.
type reading struct {
	at  time.Time
	lag stream.Lag
}

// seconds is lag_seconds; it must not be null here.
func (r reading) seconds(t *testing.T) float64 {
	t.Helper()
	if r.lag.LagSeconds == nil {
		t.Fatalf("lag_seconds is null: %+v", r.lag)
	}
	return *r.lag.LagSeconds
}

// watchLag asks for the lag four times a second.
func watchLag(t *testing.T, d *Daemon, length time.Duration, each func(reading)) {
	t.Helper()
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		lag, err := d.Lag(t.Context())
		must(t, err)
		each(reading{at: time.Now(), lag: lag})
	}
}

// awaitZero waits until the daemon says that it has caught up.
func awaitZero(t *testing.T, d *Daemon) {
	t.Helper()
	d.Await(t, 20*time.Second, "caught up with lag 0", func(st stream.Status) bool {
		return st.Lag.CaughtUp && st.Lag.LagSeconds != nil && *st.Lag.LagSeconds == 0
	})
}

// within expects a lag that is right to the tolerance, in seconds on both sides.
func (r reading) within(t *testing.T, low, high float64) {
	t.Helper()
	if s := r.seconds(t); s < low || s > high {
		t.Errorf("lag is %.3f s, want between %.3f and %.3f: %+v", s, low, high, r.lag)
	}
	if r.lag.CaughtUp {
		t.Errorf("caught_up with a lag: %+v", r.lag)
	}
}

// Invariant 8: lag is never reported better than it is. The oracle is this test's own knowledge of when a row was
// committed on the source and whether it is on the target.
func TestLagNeverLies(t *testing.T) {
	t.Parallel()
	r := begin(t, "auto", seed(t))
	start := func(env ...string) *Daemon { return r.Start(t, Normal, env...) } // Ends with this test, not with a step.
	d := start()
	awaitZero(t, d)
	steps := []struct {
		name string
		run  func(*testing.T)
	}{
		{"an idle stream has caught up, with lag 0", func(t *testing.T) { idle(t, d, 20*time.Second) }},
		{"a frozen source makes lag stale and growing", func(t *testing.T) { frozenSource(t, r, d) }},
		{"a lock on the target makes lag grow in real time", func(t *testing.T) { blockedTarget(t, r, d, 13*time.Second, 0) }},
		{"a frozen target makes lag grow in real time", func(t *testing.T) { frozenTarget(t, r, d) }},
		{"a restart while the source is down goes on from the record", func(t *testing.T) { d = restartWithoutSource(t, r, d, start) }},
		{"a daemon's clock an hour ahead changes nothing", func(t *testing.T) { d = shiftedClock(t, r, d, start, time.Hour) }},
		{"a daemon's clock an hour behind changes nothing", func(t *testing.T) { d = shiftedClock(t, r, d, start, -time.Hour) }},
	}
	for _, step := range steps {
		if !t.Run(step.name, step.run) {
			return
		}
	}
	r.AwaitCaughtUp(t, d, 20*time.Second)
	r.Equal(t)
	d.Stop(t)
}

func idle(t *testing.T, d *Daemon, length time.Duration) {
	watchLag(t, d, length, func(r reading) {
		if !r.lag.CaughtUp || r.lag.Stale || r.seconds(t) != 0 || r.lag.Behind.Bytes != 0 || r.lag.ETAState != stream.ETACaughtUp {
			t.Errorf("idle for long: %+v", r.lag)
		}
	})
}

// frozenSource: the last moment at which the stream can have known that it had caught up is the freeze; the look
// at the source before it is at most a second old, and a look counts for three.
func frozenSource(t *testing.T, rig *Rig, d *Daemon) {
	must(t, rig.Source.Pause())
	t.Cleanup(func() { _ = rig.Source.Resume() })
	frozen := time.Now()
	last := -1.0
	watchLag(t, d, 12*time.Second, func(r reading) {
		since := r.at.Sub(frozen).Seconds()
		if since < 4.5 && !r.lag.Stale {
			return // Not noticed yet: the last look is younger than three seconds.
		}
		if !r.lag.Stale {
			t.Errorf("not stale %.1f s after the freeze: %+v", since, r.lag)
		}
		r.within(t, since-0.1, since+2.5)
		if s := r.seconds(t); s <= last {
			t.Errorf("lag went from %.3f to %.3f s", last, s)
		} else {
			last = s
		}
	})
	must(t, rig.Source.Resume())
	awaitZero(t, d)
}

// blockedTarget commits on the source while the target's table is locked: from then on lag is the age of that
// commit, also over the applier's lock wait timeout of 10 s. shift is by how much the daemon's clock is wrong.
func blockedTarget(t *testing.T, rig *Rig, d *Daemon, length, shift time.Duration) {
	conn, release := hold(t, &experiment{Rig: rig}, "LOCK TABLES shop.orders WRITE")
	defer func() {
		_, err := conn.ExecContext(t.Context(), "UNLOCK TABLES")
		must(t, err)
		release()
		awaitZero(t, d)
	}()
	rig.Source.Exec(t, "INSERT INTO shop.orders (n) VALUES (1)")
	committed := time.Now()
	watchLag(t, d, length, func(r reading) {
		since := r.at.Sub(committed).Seconds()
		if since < 0.3 {
			return // Still on its way to us.
		}
		r.within(t, since-0.1, since+1)
		if r.lag.Stale {
			t.Errorf("stale although the source answers: %+v", r.lag)
		}
		if since > 1.5 && (r.lag.Behind.Transactions != 1 || r.lag.Behind.Bytes == 0) { // The source's end is asked once a second.
			t.Errorf("behind %+v, want one transaction", r.lag.Behind)
		}
		if off := *r.lag.ClockOffsetMS + float64(shift.Milliseconds()); math.Abs(off) > 500 {
			t.Errorf("clock offset %v ms with a clock that is off by %s", *r.lag.ClockOffsetMS, shift)
		}
	})
}

func frozenTarget(t *testing.T, rig *Rig, d *Daemon) {
	must(t, rig.Target.Pause())
	t.Cleanup(func() { _ = rig.Target.Resume() })
	rig.Source.Exec(t, "INSERT INTO shop.orders (n) VALUES (2)")
	committed := time.Now()
	watchLag(t, d, 8*time.Second, func(r reading) {
		if since := r.at.Sub(committed).Seconds(); since > 0.3 {
			r.within(t, since-0.1, since+1)
		}
	})
	must(t, rig.Target.Resume())
	awaitZero(t, d)
}

// restartWithoutSource: the record is committed at least every 10 s, also by an idle stream, so the new process
// knows a moment not much older than the source's end.
func restartWithoutSource(t *testing.T, rig *Rig, d *Daemon, start func(env ...string) *Daemon) *Daemon {
	rig.Source.Kill()
	down := time.Now()
	d.Kill()
	d = start()
	d.Await(t, 10*time.Second, "the record is read", func(st stream.Status) bool { return st.Lag.LagSeconds != nil })
	watchLag(t, d, 5*time.Second, func(r reading) {
		since := r.at.Sub(down).Seconds()
		r.within(t, since-0.1, since+12)
		if !r.lag.Stale {
			t.Errorf("not stale although the source is down: %+v", r.lag)
		}
	})
	must(t, rig.Source.Restart(t.Context()))
	awaitZero(t, d)
	return d
}

func shiftedClock(t *testing.T, rig *Rig, d *Daemon, start func(env ...string) *Daemon, shift time.Duration) *Daemon {
	d.Stop(t)
	d = start("BINSEAL_CLOCK_SHIFT=" + shift.String())
	awaitZero(t, d)
	blockedTarget(t, rig, d, 5*time.Second, shift)
	return d
}
