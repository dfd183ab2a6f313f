package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/binseal/binseal/change"
)

// atRestEvery is how long a look at the target's encryption at rest counts. A key can be disabled at any time, and after
// a blue/green switch the same name leads to another cluster.
const atRestEvery = time.Hour

const (
	// atRestSoon is when a look is repeated that has not verified it.
	atRestSoon = 5 * time.Minute
	// atRestStands is how long what was verified counts while nobody answers.
	atRestStands = 24 * time.Hour
)

// atRestPatience bounds one look; it asks a cloud's API, or the target.
const atRestPatience = time.Minute

// provenAtRest looks at the target's encryption at rest, unless that was done within the hour, and refuses what the policy
// does not allow: BS-AT-REST-REFUSED, or, where the policy names a kind of key, BS-AT-REST-UNVERIFIED. No row is written
// before. A look that nobody answers, within a day behind one that has verified or refused it, leaves that one standing: its
// time tells how old it is.
func (s *Stream) provenAtRest(ctx context.Context) error {
	if s.o.AtRest == nil {
		return nil
	}
	s.mu.Lock()
	known := s.atRest
	s.mu.Unlock()
	settled := known != nil && (known.Result == change.AtRestVerified || known.Result == change.AtRestSkipped)
	if !settled || s.o.Now().Sub(known.At) >= atRestEvery {
		ctx, cancel := context.WithTimeout(ctx, atRestPatience)
		defer cancel()
		known = s.lookAtRest(ctx)
	}
	return policyMet(*known)
}

// lookAtRest asks, and keeps the answer if it is one.
func (s *Stream) lookAtRest(ctx context.Context) *change.AtRest {
	now := s.o.AtRest(ctx)
	if errors.Is(ctx.Err(), context.Canceled) { // The run has ended: nobody was waited for, and there is nothing to tell.
		now.Transient = true
		return &now
	}
	s.mu.Lock()
	before := s.atRest
	told := before != nil && (before.Result == change.AtRestVerified || before.Result == change.AtRestRefused)
	if told && now.Result == change.AtRestUnverified && now.Transient && s.o.Now().Sub(before.At) < atRestStands {
		s.mu.Unlock()
		s.o.Logger.Warn("encryption at rest could not be looked at again", "seen", now.Seen, "missing", now.Missing, "result", string(before.Result), "looked_at", before.At)
		return before
	}
	s.atRest = &now
	s.mu.Unlock()
	switch {
	case before != nil && before.Result == now.Result && before.Seen == now.Seen:
	case now.Result == change.AtRestVerified:
		s.o.Logger.Info("encryption at rest verified", "seen", now.Seen, "missing", now.Missing)
	default:
		s.o.Logger.Warn("encryption at rest not verified", "result", string(now.Result), "seen", now.Seen, "missing", now.Missing)
	}
	return &now
}

// policyMet is the fault of an answer that the policy does not allow.
func policyMet(a change.AtRest) error {
	switch {
	case a.Result == change.AtRestRefused:
		return &change.Fault{Code: "BS-AT-REST-REFUSED", Class: change.ClassEnvironment, Where: "target at rest",
			What: fmt.Sprintf("target.at_rest.require is %s: %s", a.Policy, a.Seen),
			Next: "move the stream to a target that is encrypted so (restore a snapshot with that KMS key), or enable the key again; nothing is written before"}
	case a.Result == change.AtRestUnverified && a.Policy != change.AtRestPolicyAny:
		class := change.ClassEnvironment
		if a.Transient {
			class = change.ClassRuntime
		}
		return &change.Fault{Code: "BS-AT-REST-UNVERIFIED", Class: class, Where: "target at rest",
			What: fmt.Sprintf("target.at_rest.require is %s, and that cannot be verified: %s", a.Policy, a.Seen),
			Next: "give the daemon a role with the statements of `binseal print iam-policy`, and name the cluster in target.at_rest.cluster if addr is a name of your own"}
	}
	return nil
}

// watchAtRest looks again every hour, and ends the run by its context when the policy is not met any more.
func (s *Stream) watchAtRest(ctx context.Context, end context.CancelCauseFunc) {
	if s.o.AtRest == nil {
		return
	}
	for ctx.Err() == nil { // Then provenAtRest has had an answer.
		s.mu.Lock()
		known := *s.atRest
		s.mu.Unlock()
		wait := atRestSoon
		if known.Result == change.AtRestVerified {
			wait = max(wait, atRestEvery-s.o.Now().Sub(known.At))
		}
		if !sleep(ctx, wait) {
			return
		}
		look, cancel := context.WithTimeout(ctx, atRestPatience)
		err := policyMet(*s.lookAtRest(look))
		cancel()
		if err != nil && ctx.Err() == nil {
			end(err)
			return
		}
	}
}
