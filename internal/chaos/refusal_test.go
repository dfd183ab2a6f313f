package chaos

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// present makes a running server show another certificate to new connections. The server checks its own certificate
// against its CA, so it gets that one too; the CA file that our config trusts stays what it is.
func present(t *testing.T, s *testmysql.Server, ca *testmysql.CA, o testmysql.IssueOptions) {
	t.Helper()
	dir := t.TempDir()
	issued, err := ca.Issue(o)
	must(t, err)
	authority, err := ca.Write(dir)
	must(t, err)
	cert, key, err := issued.Write(dir, "server")
	must(t, err)
	s.Exec(t, fmt.Sprintf("SET GLOBAL ssl_ca='%s', GLOBAL ssl_cert='%s', GLOBAL ssl_key='%s'", authority, cert, key), "ALTER INSTANCE RELOAD TLS")
}

func newCA(t *testing.T, name string) *testmysql.CA {
	t.Helper()
	ca, err := testmysql.NewCA(name)
	must(t, err)
	return ca
}

// terminate puts a TLS 1.1 server in front of s: MySQL 9.7 itself refuses to be configured so.
func terminate(t *testing.T, s *testmysql.Server) string {
	t.Helper()
	cert, err := s.CA.Issue(testmysql.IssueOptions{})
	must(t, err)
	p, err := faultproxy.TerminateTLS(faultproxy.TerminateOptions{Upstream: s.Addr, Server: &tls.Config{
		Certificates: []tls.Certificate{cert.TLS}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}})
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p.Addr()
}

// The refusals of package mysqlconn, as an operator meets them: the daemon's first start on real servers.
func TestRunRefusesWhatIsNotVerifiedTLS(t *testing.T) {
	ca := newCA(t, "refusals") // One for both legs, so that each bad server serves both.
	source, target := testmysql.SourceOptions(), testmysql.TargetOptions()
	source.CA, target.CA = ca, ca
	r := NewRig(t, Options{Mode: "auto", Source: testmysql.StartT(t, source), Target: testmysql.StartT(t, target)})
	plain := testmysql.StartT(t, testmysql.Options{Name: "plain", NoTLS: true})
	old, err := ca.Issue(testmysql.IssueOptions{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	must(t, err)
	expired := testmysql.StartT(t, testmysql.Options{Name: "expired", CA: ca, Certificate: old})
	for _, bad := range []*testmysql.Server{plain, expired} { // Without any account they refuse us in place of a greeting.
		must(t, bad.CreateReplicationUser(t.Context(), "repl", password))
	}
	for _, leg := range []string{"source", "target"} {
		server, proxy := r.Source, r.SourceProxy
		if leg == "target" {
			server, proxy = r.Target, r.TargetProxy
		}
		for _, c := range []struct{ name, addr, reason string }{
			{"a server that speaks plaintext only", plain.Addr, "server offers no TLS"},
			{"a server that speaks TLS 1.1 at most", terminate(t, server), "TLS version too old"},
			{"an expired certificate", expired.Addr, "certificate expired"},
		} {
			t.Run(leg+": "+c.name, func(t *testing.T) {
				proxy.SetUpstream(c.addr)
				refused(t, r, leg, c.reason)
				proxy.SetUpstream(server.Addr)
			})
		}
		for _, c := range []struct {
			name, reason string
			ca           *testmysql.CA
			options      testmysql.IssueOptions
		}{
			{"a certificate of an unknown CA", "unknown CA", newCA(t, "stranger"), testmysql.IssueOptions{}},
			{"a certificate of another host", "certificate is for another host", server.CA, testmysql.IssueOptions{Hosts: []string{"db.example"}}},
		} {
			t.Run(leg+": "+c.name, func(t *testing.T) {
				present(t, server, c.ca, c.options)
				refused(t, r, leg, c.reason)
			})
		}
		present(t, server, server.CA, testmysql.IssueOptions{})
	}
	for _, proxy := range []*faultproxy.Proxy{r.SourceProxy, r.TargetProxy} {
		for _, line := range proxy.Plaintext() {
			if strings.HasPrefix(line, faultproxy.ToServer.String()) { // A server may say in clear that the handshake failed; we may not.
				t.Error(line)
			}
		}
	}
	d := r.Start(t, Normal) // Nothing else was wrong.
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	d.Stop(t)
}

// refused expects the first start to end with class 3 and a message that names leg and reason.
func refused(t *testing.T, r *Rig, leg, reason string) {
	t.Helper()
	d := r.Start(t, Normal)
	if !d.Wait(15 * time.Second) {
		t.Fatalf("still running\n%s", tail(d.Log()))
	}
	log := d.Log()
	if d.ExitCode() != 3 || !strings.Contains(log, "BS-TLS-REFUSED") || !strings.Contains(log, reason) || !strings.Contains(log, "where  "+leg) {
		t.Errorf("exit code %d, want 3 and the %s's leg with %q\n%s", d.ExitCode(), leg, reason, tail(log))
	}
	if strings.Contains(log, password) {
		t.Error("the log shows a password")
	}
}

// A certificate that changes under a running stream to one of another CA, as with a server in the middle: nothing
// more goes to it, and the stream says why and waits for the right one.
func TestCertificateReplacedUnderARunningStream(t *testing.T) {
	t.Parallel()
	r := begin(t, "auto", seed(t))
	d := r.Start(t, Normal)
	awaitZero(t, d)
	for _, leg := range []string{"target", "source"} {
		server, proxy := r.Source, r.SourceProxy
		if leg == "target" {
			server, proxy = r.Target, r.TargetProxy
		}
		t.Run(leg, func(t *testing.T) {
			present(t, server, newCA(t, "stranger"), testmysql.IssueOptions{})
			proxy.Cut(faultproxy.RST)
			refusing := func(st stream.Status) bool {
				return st.State == stream.StateReconnecting && st.Problem != nil && st.Problem.Code == "BS-TLS-REFUSED" && strings.HasPrefix(st.Problem.Where, leg)
			}
			d.Await(t, 15*time.Second, "reconnecting, refused by TLS", refusing) // An idle stream uses the target's connection every 10 s.
			before := r.Target.QueryT(t, "SELECT COUNT(*) FROM shop.orders")[0][0]
			r.Source.Exec(t, "INSERT INTO shop.orders (n) VALUES (1),(2),(3)")
			time.Sleep(3 * time.Second)
			d.Await(t, 10*time.Second, "still reconnecting", refusing)
			if after := r.Target.QueryT(t, "SELECT COUNT(*) FROM shop.orders")[0][0]; after != before {
				t.Errorf("%s rows on the target, %s before the certificate changed", after, before)
			}
			present(t, server, server.CA, testmysql.IssueOptions{})
			awaitZero(t, d)
			r.AwaitCaughtUp(t, d, 20*time.Second)
			r.Equal(t)
		})
	}
	d.Stop(t)
}
