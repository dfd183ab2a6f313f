package stream

import (
	"context"
	"time"

	"github.com/binseal/binseal/tlsconf"
)

// expirySteps are how long before a certificate's end an operator is told, each once for a certificate.
var expirySteps = []time.Duration{30 * 24 * time.Hour, 7 * 24 * time.Hour, 24 * time.Hour, 0}

// expiryEvery is how often the certificates of connections that stay open are looked at.
const expiryEvery = time.Hour

// expiryStep counts the steps that are passed: 0 is far from the end, 4 behind it.
func expiryStep(left time.Duration) int {
	step := 0
	for _, s := range expirySteps {
		if left <= s {
			step++
		}
	}
	return step
}

// warnOfExpiry tells of the certificates of a handshake that come near their end: the server's, and our own.
func (s *Stream) warnOfExpiry(e tlsconf.Evidence) {
	now := s.o.Now()
	for _, c := range []struct {
		whose, fingerprint string
		notAfter           time.Time
	}{{"server", e.Fingerprint, e.NotAfter}, {"ours", e.ClientFingerprint, e.ClientNotAfter}} {
		if c.notAfter.IsZero() {
			continue
		}
		step, key := expiryStep(c.notAfter.Sub(now)), e.Leg+" "+c.fingerprint
		s.mu.Lock()
		told := s.expiryTold[key]
		s.expiryTold[key] = max(told, step)
		s.mu.Unlock()
		if step > told {
			s.o.Logger.Warn("certificate expires", "leg", e.Leg, "certificate", c.whose, "fingerprint", c.fingerprint, "not_after", c.notAfter.UTC().Format(time.RFC3339),
				"days_left", int(c.notAfter.Sub(now).Hours()/24))
		}
	}
}

// watchExpiry looks at the certificates of both legs while no handshake does.
func (s *Stream) watchExpiry(ctx context.Context) {
	tick := time.NewTicker(expiryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.mu.Lock()
			last := []tlsconf.Evidence{s.evidence["source"], s.evidence["target"]}
			s.mu.Unlock()
			for _, e := range last {
				s.warnOfExpiry(e)
			}
		}
	}
}
