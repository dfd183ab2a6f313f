package stream

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/binseal/binseal/tlsconf"
)

// An operator is told 30, 7 and 1 days ahead and at the end, each once for a certificate, however often it is shown.
func TestExpiryIsToldInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log sharedLog
		s := &Stream{o: Options{Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))}, evidence: map[string]tlsconf.Evidence{}, expiryTold: map[string]int{}}
		end := time.Now().Add(40 * 24 * time.Hour)
		show := s.note("target")
		show(tlsconf.Evidence{Leg: "target", Fingerprint: "aa", NotAfter: end})
		done := make(chan struct{})
		go func() { defer close(done); s.watchExpiry(t.Context()) }()
		told := 0
		for day := 1; day <= 42; day++ {
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			show(tlsconf.Evidence{Leg: "target", Fingerprint: "aa", NotAfter: end})
			if n := strings.Count(log.String(), "certificate expires"); n > told {
				if told = n; day != []int{0, 10, 33, 39, 40}[n] {
					t.Errorf("warning %d comes on day %d", n, day)
				}
			}
		}
		if told != 4 {
			t.Errorf("%d warnings, want 4", told)
		}
		show(tlsconf.Evidence{Leg: "target", Fingerprint: "bb", NotAfter: end.Add(365 * 24 * time.Hour), ClientFingerprint: "cc", ClientNotAfter: time.Now().Add(time.Hour)})
		if n := strings.Count(log.String(), "certificate expires"); n != 5 || !strings.Contains(log.String(), "certificate=ours") {
			t.Errorf("our own certificate: %d warnings", n)
		}
	})
}
