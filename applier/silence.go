package applier

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// silence is how long a session may wait for the target's answer before it is looked for in the server's list of
// sessions. With the rhythm of looking it bounds the life of a half-open connection to about twice the source's
// heartbeat. A statement that simply takes long is in the list and goes on.
const silence = 2 * time.Second

// lookPatience bounds one look at the list of sessions, the connect included: a frozen target tells nothing.
const lookPatience = 3 * time.Second

// pending is the statement that a session waits for.
type pending struct {
	mu     sync.Mutex // Guards what follows.
	since  time.Time  // When it was sent; zero when none is under way.
	giveUp context.CancelCauseFunc
}

// send notes that a statement goes out. Its context ends when the session turns out to be lost; done is to be called
// with the answer.
func (p *pending) send(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since, p.giveUp = time.Now(), cancel
	return ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.since, p.giveUp = time.Time{}, nil
		cancel(nil)
	}
}

// waits reports whether an answer is overdue.
func (p *pending) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.since.IsZero() && time.Since(p.since) >= silence
}

// lost ends the wait with err.
func (p *pending) lost(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.giveUp != nil {
		p.giveUp(err)
	}
}

// endLostSessions finds connections that are half open: whatever is between us and the target takes our bytes, and
// the server has no such session any more. Without this the wait for an answer would have no end, since a statement
// may rightly run for long.
func (a *Applier) endLostSessions(ctx context.Context) {
	var look *mysqlconn.Session
	defer func() {
		if look != nil {
			_ = look.Close()
		}
	}()
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var overdue []*session
		for _, s := range a.sessions() {
			if s.pending.waits() {
				overdue = append(overdue, s)
			}
		}
		if len(overdue) > 0 {
			look = a.lookFor(ctx, look, overdue)
		}
	}
}

// lookFor asks the target which of the sessions it still has and gives up the others. It returns the session to ask
// with the next time, nil when the target could not be asked: then nothing is known, and all go on.
func (a *Applier) lookFor(ctx context.Context, look *mysqlconn.Session, overdue []*session) *mysqlconn.Session {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	if look == nil {
		var err error
		if look, err = a.cfg.Target.Open(ctx, mysqlconn.SessionOptions{}); err != nil {
			return nil
		}
	}
	present, err := look.Threads(ctx)
	if err != nil {
		_ = look.Close()
		return nil
	}
	for _, s := range overdue {
		// Another server answers where ours was: after a failover the name has a new address.
		if moved := look.ServerUUID != s.conn.ServerUUID; moved || !present[s.conn.ConnID] {
			s.pending.lost(halfOpen(s))
		}
	}
	return look
}

// halfOpen says why a session was given up. What its last statement did is unknown; the record tells.
func halfOpen(s *session) *change.Fault {
	return &change.Fault{Code: "BS-HALF-OPEN", Class: change.ClassRuntime,
		What: fmt.Sprintf("the target does not know connection %d any more: it broke without our being told", s.conn.ConnID),
		Next: "nothing to do: the stream goes on from its record; if this repeats, look at what ends connections between here and the target"}
}
