package stream

import (
	"slices"
	"strings"
)

// Lag is the body of GET /lag.
func (s *Stream) Lag() Lag {
	s.mu.Lock()
	state, reader := s.state, s.reader
	s.mu.Unlock()
	var r read
	if reader != nil {
		pos, gtids, _ := reader.ReadPos()
		r = read{pos: pos, gtids: gtids}
	}
	return s.lag.report(s.o.Name, state, r)
}

// Status is the body of GET /status.
func (s *Stream) Status() Status {
	lag := s.Lag()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Stream: s.o.Name, Version: s.o.Version, State: s.state, StartedAt: s.started.UTC(), Owner: s.owner, Mode: string(s.o.Mode),
		Committed: "strict", Epoch: s.epoch, Lag: lag, Source: s.cp.Source, Problem: s.problem, Totals: s.totals,
		Ordered: slices.Clone(s.ordered), Checkpt: s.cp, Evidence: []any{}, AtRest: s.atRest, Live: s.connections.List()}
	if s.lastSplit {
		st.Committed = "split"
	}
	for _, leg := range []string{"source", "target"} {
		if e, ok := s.evidence[leg]; ok {
			st.Evidence = append(st.Evidence, e)
		}
	}
	slices.SortFunc(st.Ordered, func(a, b TableNote) int { return strings.Compare(a.Table, b.Table) })
	return st
}

// Healthy reports whether the process does what it should, and if not, why. It does not depend on lag.
func (s *Stream) Healthy() (bool, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == StateHalted || s.state == StateStopped {
		return false, string(s.state)
	}
	return true, ""
}

// Ready reports whether both legs are connected and the stream runs; it does not depend on lag.
func (s *Stream) Ready() (bool, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == StateStreaming, string(s.state)
}
