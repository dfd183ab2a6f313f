package replicator

import (
	"context"

	"github.com/binseal/binseal/mysqlconn"
)

// Ahead is a run's dump connection, made ahead of it. The source knows of no replica before the log is asked for.
type Ahead = mysqlconn.Ahead[*link]

// NewAhead is a dump connection to e.
func NewAhead(e *mysqlconn.Endpoint) *Ahead {
	return mysqlconn.NewAhead(func(ctx context.Context) (*link, error) { return connect(ctx, e) }, (*link).close)
}

// link gives the connection that is made ahead, once, or makes one.
func (r *Reader) link(ctx context.Context) (*link, error) {
	a := r.cfg.Ahead
	if r.cfg.Ahead = nil; a == nil {
		return connect(ctx, r.cfg.Endpoint)
	}
	l, err := a.Take(ctx)
	if err == nil {
		l.watch(ctx)
	}
	return l, err
}
