package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/binseal/binseal/change"
)

// atRestEvery is how long a look at the target's encryption at rest counts. A key can be disabled at any time, and after
// a blue/green switch the same name leads to another cluster.
const atRestEvery = time.Hour

// atRestPatience bounds one look; it asks a cloud's API, or the target.
const atRestPatience = time.Minute

// provenAtRest looks at the target's encryption at rest, unless that was done within the hour, and refuses what the policy
// does not allow: BS-AT-REST-REFUSED, or, where the policy names a kind of key, BS-AT-REST-UNVERIFIED. No row is written
// before. A look that gives no answer, behind one that did, leaves what that one has proven: the time tells how old it is.
func (s *Stream) provenAtRest(ctx context.Context) error {
	if s.o.AtRest == nil {
		return nil
	}
	s.mu.Lock()
	known := s.atRest
	s.mu.Unlock()
	if known == nil || known.Result == change.AtRestRefused || s.o.Now().Sub(known.At) >= atRestEvery {
		ctx, cancel := context.WithTimeout(ctx, atRestPatience)
		defer cancel()
		known = s.lookAtRest(ctx)
	}
	return policyMet(*known)
}

// lookAtRest asks, and keeps the answer if it is one.
func (s *Stream) lookAtRest(ctx context.Context) *change.AtRest {
	now := s.o.AtRest(ctx)
	s.mu.Lock()
	before := s.atRest
	if before != nil && before.Result == change.AtRestVerified && now.Result == change.AtRestUnverified {
		s.mu.Unlock()
		s.o.Logger.Warn("encryption at rest could not be verified again", "seen", now.Seen, "missing", now.Missing, "verified_at", before.At)
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
		return &change.Fault{Code: "BS-AT-REST-UNVERIFIED", Class: change.ClassEnvironment, Where: "target at rest",
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
	tick := time.NewTicker(atRestEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			look, cancel := context.WithTimeout(ctx, atRestPatience)
			err := policyMet(*s.lookAtRest(look))
			cancel()
			if err != nil && ctx.Err() == nil {
				end(err)
				return
			}
		}
	}
}
