package stream

import (
	"math"
	"time"

	"github.com/binseal/binseal/change"
)

// rateWindow is the time constant of the moving averages (facts/reliability.md §6.3: EWMA 60 s).
const rateWindow = 60 * time.Second

// rates are moving averages over the source's log bytes: how fast it grows and how fast we apply it.
type rates struct {
	last    time.Time
	since   time.Time // The last look that found something committed, or nothing to do.
	applied uint64    // Bytes committed since then.
	apply   average
	produce average
}

// average is an exponentially weighted mean and variance, in bytes per second.
type average struct {
	mean, variance float64
	samples        int
}

func (a *average) add(x, weight float64) {
	a.samples++
	if a.samples == 1 {
		a.mean = x
		return
	}
	weight = max(weight, 1/float64(a.samples)) // A plain mean until the window has filled.
	d := x - a.mean
	a.mean += weight * d
	a.variance = (1 - weight) * (a.variance + weight*d*d)
}

// unstable reports a rate that swings by half of itself, or of which too little has been seen.
func (a *average) unstable() bool {
	return a.samples < 5 || math.Sqrt(a.variance) > a.mean/2
}

// tick takes the figures since the last look. While nothing is behind, the apply rate is bounded by what the
// source writes and says nothing about what we could do, so only busy intervals count. Epochs may take longer than a look:
// a busy interval lasts until one has committed.
func (r *rates) tick(now time.Time, before, after change.Position, busy bool) {
	elapsed := now.Sub(r.last).Seconds()
	if r.last.IsZero() || elapsed <= 0 {
		r.last, r.since, r.applied = now, now, 0
		return
	}
	if before.File == after.File && after.Pos >= before.Pos {
		r.produce.add(float64(after.Pos-before.Pos)/elapsed, weight(elapsed))
	}
	if worked := now.Sub(r.since).Seconds(); r.applied > 0 && (busy || r.apply.samples == 0) {
		r.apply.add(float64(r.applied)/worked, weight(worked))
	}
	if r.last = now; r.applied > 0 || !busy {
		r.since, r.applied = now, 0
	}
}

// weight is that of an interval of so many seconds.
func weight(seconds float64) float64 { return 1 - math.Exp(-seconds/rateWindow.Seconds()) }
