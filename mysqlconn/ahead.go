package mysqlconn

import (
	"context"
	"time"
)

// Ahead is connections that are made beside what else a start has to do: they cost a handshake and a login each, and the
// server may be far.
type Ahead[T any] struct {
	connect func(context.Context) (T, error)
	end     func(T)
	made    chan made[T] // No buffer: what nobody takes is ended.
}

type made[T any] struct {
	it  T
	at  time.Time // Before the first of them.
	err error
}

// freshFor is how old a connection may be that is taken: below what the servers give a silent one, which is 5 s for the
// target's sessions.
const freshFor = 3 * time.Second

// NewAhead is connections that connect makes, whose error leaves nothing open, and end ends.
func NewAhead[T any](connect func(context.Context) (T, error), end func(T)) *Ahead[T] {
	return &Ahead[T]{connect: connect, end: end, made: make(chan made[T])}
}

// Begin connects, and returns when Take has taken the connections or ctx, which is the run's, has ended. Once.
func (a *Ahead[T]) Begin(ctx context.Context) {
	m := made[T]{at: time.Now()}
	m.it, m.err = a.connect(ctx)
	select {
	case a.made <- m:
	case <-ctx.Done():
		if m.err == nil {
			a.end(m.it)
		}
	}
}

// Take gives the connections of a Begin, once. It connects itself where they are not fresh, and where they could not be made:
// what stood in the way may be gone, as an old owner's sessions are behind the claim.
func (a *Ahead[T]) Take(ctx context.Context) (it T, err error) {
	select {
	case m := <-a.made:
		if m.err == nil && time.Since(m.at) < freshFor {
			return m.it, nil
		}
		if m.err == nil {
			a.end(m.it)
		}
		return a.connect(ctx)
	case <-ctx.Done():
		return it, context.Cause(ctx)
	}
}
