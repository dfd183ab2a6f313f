package stream

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/binseal/binseal/change"
)

// sharedLog is read while it is written.
type sharedLog struct {
	mu   sync.Mutex // Guards text.
	text bytes.Buffer
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// atRestStream answers with what the test stores.
func atRestStream(log *sharedLog, answer *atomic.Pointer[change.AtRest]) *Stream {
	return &Stream{o: Options{Now: time.Now, Logger: slog.New(slog.NewTextHandler(log, nil)), AtRest: func(context.Context) change.AtRest {
		a := *answer.Load()
		a.At = time.Now()
		return a
	}}}
}

func TestAtRestPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		answer change.AtRest
		code   string
	}{
		"verified":                   {change.AtRest{Result: change.AtRestVerified, Policy: "cmk"}, ""},
		"skipped":                    {change.AtRest{Result: change.AtRestSkipped, Policy: "skip"}, ""},
		"any, and nobody can tell":   {change.AtRest{Result: change.AtRestUnverified, Policy: "any"}, ""},
		"a key, and nobody can tell": {change.AtRest{Result: change.AtRestUnverified, Policy: "cmk"}, "BS-AT-REST-UNVERIFIED"},
		"a key, and AWS is away":     {change.AtRest{Result: change.AtRestUnverified, Policy: "cmk", Transient: true}, "BS-AT-REST-UNVERIFIED"},
		"refused":                    {change.AtRest{Result: change.AtRestRefused, Policy: "any"}, "BS-AT-REST-REFUSED"},
		"refused, a key by its ARN":  {change.AtRest{Result: change.AtRestRefused, Policy: "arn:aws:kms:x"}, "BS-AT-REST-REFUSED"},
	} {
		var log sharedLog
		var answer atomic.Pointer[change.AtRest]
		answer.Store(&c.answer)
		err := atRestStream(&log, &answer).provenAtRest(t.Context())
		f := change.FaultOf(err)
		if (f == nil) != (c.code == "") || f != nil && (f.Code != c.code || f.Class != change.ClassEnvironment && !c.answer.Transient || f.Next == "") {
			t.Errorf("%s: got %v, want %q", name, err, c.code)
		}
		if !strings.Contains(log.String(), "encryption at rest") {
			t.Errorf("%s: nothing in the log", name)
		}
	}
}

// A key is disabled while the stream runs: within the hour the run ends, and none begins until the key is back. An API that
// does not answer ends nothing.
func TestAtRestIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log sharedLog
		var answer atomic.Pointer[change.AtRest]
		answer.Store(&change.AtRest{Result: change.AtRestVerified, Policy: "cmk", Seen: "a key"})
		s := atRestStream(&log, &answer)
		if err := s.provenAtRest(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancelCause(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.watchAtRest(ctx, end) }()
		answer.Store(&change.AtRest{Result: change.AtRestUnverified, Policy: "cmk", Seen: "no answer", Transient: true})
		verified := s.atRest.At
		time.Sleep(3*atRestEvery + time.Minute)
		synctest.Wait()
		if ctx.Err() != nil || !s.atRest.At.Equal(verified) || s.provenAtRest(t.Context()) != nil {
			t.Errorf("an API that does not answer: %v, verified at %s", context.Cause(ctx), s.atRest.At)
		}
		if n := strings.Count(log.String(), "could not be looked at again"); n < 3 {
			t.Errorf("it was told %d times", n)
		}
		answer.Store(&change.AtRest{Result: change.AtRestRefused, Policy: "cmk", Seen: "Disabled"})
		time.Sleep(atRestEvery)
		<-done
		if f := change.FaultOf(context.Cause(ctx)); f == nil || f.Code != "BS-AT-REST-REFUSED" {
			t.Errorf("a disabled key ends the run with %v", context.Cause(ctx))
		}
		if err := s.provenAtRest(t.Context()); change.FaultOf(err) == nil {
			t.Error("the next run begins although the key is disabled")
		}
		answer.Store(&change.AtRest{Result: change.AtRestUnverified, Policy: "any", Seen: "throttled", Transient: true})
		if err := s.provenAtRest(t.Context()); change.FaultOf(err) == nil {
			t.Error("an API that does not answer takes the refusal back")
		}
		answer.Store(&change.AtRest{Result: change.AtRestVerified, Policy: "cmk", Seen: "a key"})
		if err := s.provenAtRest(t.Context()); err != nil {
			t.Errorf("the key is back: %v", err)
		}
	})
}
