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
	applied uint64 // Bytes committed since last.
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
// source writes and says nothing about what we could do, so only busy intervals count.
func (r *rates) tick(now time.Time, before, after change.Position, busy bool) {
	elapsed := now.Sub(r.last).Seconds()
	if r.last.IsZero() || elapsed <= 0 {
		r.last, r.applied = now, 0
		return
	}
	weight := 1 - math.Exp(-elapsed/rateWindow.Seconds())
	if before.File == after.File && after.Pos >= before.Pos {
		r.produce.add(float64(after.Pos-before.Pos)/elapsed, weight)
	}
	if r.applied > 0 && (busy || r.apply.samples == 0) {
		r.apply.add(float64(r.applied)/elapsed, weight)
	}
	r.last, r.applied = now, 0
}
