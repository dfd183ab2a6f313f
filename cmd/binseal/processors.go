package main

import (
	"context"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/binseal/binseal/stream"
)

// How far the stream is behind when the daemon takes half of its processors, and when it takes all again. Between the two it
// keeps what it has.
const (
	farLag         = 5.0 // Seconds.
	nearLag        = 1.0
	processorsLook = 250 * time.Millisecond // How often it looks.
	stuckAfter     = 40                     // Looks without less lag: half is too few.
)

// processors decides how many threads run Go code at once. Far behind the source the stages of the pipeline are always busy, and
// half of the processors carries them: with all, the runtime spends a fifth of the daemon's time on waking threads for work that
// another one has taken meanwhile (docs/decisions/0031). Near the source each wait counts, and all are used.
type processors struct {
	all  func() // Takes all that the process may use.
	half func() // Takes half of them, at least one.

	whole bool    // All are taken.
	held  bool    // Until the stream is near: half was too few.
	least float64 // Lag since half was taken, in seconds.
	stuck int     // Looks since least.
}

// newProcessors begins far behind; nil when the operator's environment says how many there are.
func newProcessors() *processors {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	p := &processors{all: runtime.SetDefaultGOMAXPROCS, least: math.Inf(1)}
	p.half = func() {
		p.all() // A container's share may be another one by now.
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
	p.half()
	return p
}

// look takes half or all by how far the stream is behind, and all when half does not bring it nearer. A lag that is not known
// changes nothing.
func (p *processors) look(l stream.Lag) {
	if l.LagSeconds == nil {
		return
	}
	lag := *l.LagSeconds
	near := lag < nearLag
	switch {
	case near && !p.whole:
		p.whole = true
		p.all()
	case p.whole && lag > farLag && !p.held:
		p.whole, p.least, p.stuck = false, lag, 0
		p.half()
	case !p.whole && lag < p.least:
		p.least, p.stuck = lag, 0
	case !p.whole:
		if p.stuck++; p.stuck >= stuckAfter {
			p.whole, p.held = true, true
			p.all()
		}
	}
	p.held = p.held && !near
}

// follow looks until ctx ends.
func (p *processors) follow(ctx context.Context, d daemonView) {
	if p == nil {
		return
	}
	defer p.all()
	tick := time.NewTicker(processorsLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.look(d.Lag())
		}
	}
}
