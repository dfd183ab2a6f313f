package replicator

import (
	"context"
	"time"

	"github.com/binseal/binseal/mysqlconn"
)

// Ahead is a run's dump connection, made beside what else a start has to do: it costs a handshake and a login, and the
// source may be far. The source knows of no replica before Run asks for the log.
type Ahead struct {
	made chan linked // No buffer: what nobody takes is closed.
}

type linked struct {
	l   *link
	at  time.Time
	err error
}

// NewAhead is a connection that Connect makes.
func NewAhead() *Ahead { return &Ahead{made: make(chan linked)} }

// Connect connects, and returns when a Reader has taken the connection or ctx, which is the run's, has ended. An error is
// the Reader's.
func (a *Ahead) Connect(ctx context.Context, e *mysqlconn.Endpoint) {
	l, err := connect(ctx, e)
	select {
	case a.made <- linked{l: l, at: time.Now(), err: err}:
	case <-ctx.Done():
		if err == nil {
			l.close()
		}
	}
}

// link gives the connection that was made ahead, once and as long as it is fresh, or makes one.
func (r *Reader) link(ctx context.Context) (*link, error) {
	if a := r.cfg.Ahead; a != nil {
		r.cfg.Ahead = nil
		select {
		case m := <-a.made:
			if m.err != nil {
				return nil, m.err
			}
			if time.Since(m.at) < knownFor {
				m.l.watch(ctx)
				return m.l, nil
			}
			m.l.close() // The source may have been about to end it.
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return connect(ctx, r.cfg.Endpoint)
}
