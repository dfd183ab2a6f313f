package stream

import (
	"context"
	"time"

	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/replicator"
)

// Rhythms of looking at the source.
const (
	sampleEvery   = time.Second
	sampleTimeout = 2 * time.Second // A frozen source must not hold the sampler.
	sizesEvery    = time.Minute     // SHOW BINARY LOGS raised commit latency on Aurora (facts/aurora.md §2.2): rarely.
)

// sample asks the source for its end once a second, on a session of its own, for as long as ctx lives. Failures
// only make the lag stale: the run loop has its own connection to the source.
func (s *Stream) sample(ctx context.Context) {
	var session *mysqlconn.Session
	defer func() {
		if session != nil {
			_ = session.Close()
		}
	}()
	var sizesAt, askedAt time.Time
	var reloads int64 // As of the session.
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		if session == nil && s.hasClaimed() {
			reloads = s.reloads.Load()
			session, askedAt = s.openSampler(ctx), time.Time{}
		}
		if session != nil && time.Since(askedAt) >= retentionEvery {
			s.askRetention(ctx, session)
			askedAt = time.Now()
		}
		if session != nil && (reloads != s.reloads.Load() || session.ServerUUID != s.sourceUUID() || !s.look(ctx, session, &sizesAt)) {
			_ = session.Close()
			session = nil
		}
		s.warnOfRetention()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Stream) hasClaimed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cp.Pos.IsZero() || s.cp.GTIDs != ""
}

// sourceUUID is the server whose log is read.
func (s *Stream) sourceUUID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cp.Source.ServerUUID
}

func (s *Stream) openSampler(ctx context.Context) *mysqlconn.Session {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	session, err := s.o.Source.Open(ctx, mysqlconn.SessionOptions{ReadTimeout: sampleTimeout})
	if err != nil {
		return nil
	}
	if session.ServerUUID != s.sourceUUID() { // The name leads to another server now: its end says nothing about ours.
		_ = session.Close()
		return nil
	}
	return session
}

func (s *Stream) look(ctx context.Context, session *mysqlconn.Session, sizesAt *time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	end, err := replicator.End(ctx, session)
	if err != nil {
		return false
	}
	s.lag.look(s.sampleOf(session.ServerUUID, end))
	if !s.lag.needSizes() || time.Since(*sizesAt) < sizesEvery {
		return true
	}
	*sizesAt = time.Now()
	files, err := s.listing.Sizes(ctx, session)
	if err != nil {
		return false
	}
	sizes := make(map[string]uint64, len(files))
	for _, f := range files {
		sizes[f.Name] = f.Size
	}
	s.lag.logSizes(sizes)
	return true
}

// sampleOf is a look at a server's end on the stream's clock.
func (s *Stream) sampleOf(server string, end replicator.LogEnd) sample {
	local := s.o.Now().Add(-time.Since(end.LocalClock)) // The same moment.
	return sample{server: server, end: end.Pos, gtids: end.GTIDs, source: end.Clock, local: local, roundTrip: end.RoundTrip}
}

// tickBeats asks an idle applier for a commit of the record now and then.
func (s *Stream) tickBeats(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			select {
			case s.beat <- struct{}{}:
			default: // Busy: its commits carry the record.
			}
		}
	}
}
