package tlsconf

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tls.legacy lowers what is accepted, not what is verified, and does not pull a better server down.
func TestLegacy(t *testing.T) {
	ca := newRSACA(t)
	cert := ca.issueRSA(t)
	conf := Config{CA: ca.file, Legacy: true}
	for name, tc := range map[string]struct {
		server *tls.Config
		want   []string // Version, and a part of the weakness; "" for none.
	}{
		"TLS 1.0 with RSA": {&tls.Config{MaxVersion: tls.VersionTLS10, CipherSuites: oldSuites}, []string{"TLS 1.0", "forward secrecy"}},
		"TLS 1.1 with ECDHE": {&tls.Config{MaxVersion: tls.VersionTLS11, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
			[]string{"TLS 1.1", "integrity"}},
		"TLS 1.2 with RSA":            {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: oldSuites}, []string{"TLS 1.2", "forward secrecy"}},
		"a server of TLS 1.2 is used": {&tls.Config{MaxVersion: tls.VersionTLS12}, []string{"TLS 1.2", ""}},
		"a server of TLS 1.3 is used": {&tls.Config{}, []string{"TLS 1.3", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			server := tc.server.Clone()
			server.MinVersion, server.Certificates = tls.VersionTLS10, []tls.Certificate{cert}
			var got Evidence
			if err := connect(t, conf, server, func(e Evidence) { got = e }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want[0], got.Version); diff != "" || got.Weak != (tc.want[1] != "") || !strings.Contains(got.WeakReason, tc.want[1]) {
				t.Errorf("weak %v, %q, want %q (-want +got):\n%s", got.Weak, got.WeakReason, tc.want[1], diff)
			}
			if !got.Weak {
				return
			}
			if err := connect(t, Config{CA: ca.file}, server, nil); err == nil {
				t.Error("accepted without legacy")
			}
			if err := connect(t, Config{CA: newCA(t, "other").file, Legacy: true}, server, nil); err == nil {
				t.Error("accepted from an unknown CA")
			}
		})
	}
	t.Run("a target is never legacy", func(t *testing.T) {
		if _, err := New("target", conf); err == nil || !strings.HasPrefix(err.Error(), "target.tls.legacy") {
			t.Errorf("got %v", err)
		}
	})
}
