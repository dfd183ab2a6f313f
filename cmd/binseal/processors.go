package main

import (
	"context"
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
)

// processors decides how many threads run Go code at once. Far behind the source the stages of the pipeline are always busy, and
// half of the processors carries them: with all, the runtime spends a fifth of the daemon's time on waking threads for work that
// another one has taken meanwhile (docs/decisions/0031). Near the source each wait counts, and all are used.
type processors struct {
	all  func() // Takes all that the process may use.
	half func() // Takes half of them, at least one.
	near bool
}

// newProcessors begins far behind; nil when the operator's environment says how many there are.
func newProcessors() *processors {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	p := &processors{all: runtime.SetDefaultGOMAXPROCS}
	p.half = func() {
		p.all() // A container's share may be another one by now.
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
	p.half()
	return p
}

// look takes half or all by how far the stream is behind. A lag that is not known changes nothing.
func (p *processors) look(l stream.Lag) {
	switch {
	case l.LagSeconds == nil:
	case p.near && *l.LagSeconds > farLag:
		p.near = false
		p.half()
	case !p.near && *l.LagSeconds < nearLag:
		p.near = true
		p.all()
	}
}

// follow looks until ctx ends.
func (p *processors) follow(ctx context.Context, d daemonView) {
	if p == nil {
		return
	}
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
