package mysqlconn

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/tlsconf"
)

// dump opens the source's leg as the replicator does and gives the error of its first connection; nil when the
// server let it in and sent an event.
func dump(ctx context.Context, e *Endpoint) error {
	return e.Dump(ctx, func(d DumpSettings) error {
		syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
			ServerID: 4711, Flavor: "mysql", Host: d.Host, Port: d.Port, User: d.User, Password: string(d.Password),
			TLSConfig: d.TLS, Dialer: d.Dial, DisableRetrySync: true, ReadTimeout: 5 * time.Second,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		defer syncer.Close()
		stream, err := syncer.StartSync(mysql.Position{Pos: 4})
		if err != nil {
			return Describe(e.Leg, "start the dump", err)
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_, err = stream.GetEvent(ctx)
		return Describe(e.Leg, "read the dump", err)
	})
}

// session opens the target's leg as the applier does.
func session(ctx context.Context, e *Endpoint) error {
	s, err := e.Open(ctx, SessionOptions{})
	if err != nil {
		return err
	}
	return s.Close()
}

// legs are the two ways to a server: go-mysql's dump and go-sql-driver's session.
var legs = map[string]func(context.Context, *Endpoint) error{"source": dump, "target": session}

// expectRefusal opens both legs to addr and wants a Fault of class 3 that names leg and reason. It goes through a
// proxy, which must see nothing outside TLS.
func expectRefusal(t *testing.T, addr string, c tlsconf.Config, code, reason string) {
	t.Helper()
	for leg, open := range legs {
		proxy, err := faultproxy.New(addr)
		if err != nil {
			t.Fatal(err)
		}
		err = open(t.Context(), endpoint(t, leg, proxy.Addr(), c))
		f := change.FaultOf(err)
		switch {
		case f == nil:
			t.Errorf("%s: got %v, want %s", leg, err, code)
		case f.Code != code || f.Class != change.ClassEnvironment || f.Next == "":
			t.Errorf("%s: %s of class %d, next %q; want %s of class 3", leg, f.Code, f.Class, f.Next, code)
		case !strings.HasPrefix(err.Error(), leg) || !strings.Contains(err.Error(), reason):
			t.Errorf("%s: %q does not name the leg and %q", leg, err, reason)
		}
		for _, plain := range proxy.Plaintext() { // A server may say in clear that the handshake failed; we may not.
			if strings.HasPrefix(plain, faultproxy.ToServer.String()) {
				t.Errorf("%s: %s", leg, plain)
			}
		}
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The TLS refusals that the project promises, on both legs, against real servers.
func TestTLSRefusals(t *testing.T) {
	ca := newCA(t, "refusals-ca")
	conf := tlsconf.Config{CA: writeCA(t, ca)}
	start := func(t *testing.T, o testmysql.Options) *testmysql.Server {
		o.Binlog = true
		if !o.NoTLS {
			o.CA = ca
		}
		return startServer(t, o) // Without an account for our address a server refuses it in place of a greeting.
	}
	t.Run("a server that speaks plaintext only is refused", func(t *testing.T) {
		s := start(t, testmysql.Options{Name: "plain", NoTLS: true})
		expectRefusal(t, s.Addr, conf, "BS-TLS-REFUSED", tlsconf.ReasonNoTLS)
	})
	t.Run("an expired certificate is refused", func(t *testing.T) {
		cert := issue(t, ca, testmysql.IssueOptions{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
		s := start(t, testmysql.Options{Name: "expired", Certificate: cert})
		expectRefusal(t, s.Addr, conf, "BS-TLS-REFUSED", tlsconf.ReasonExpired)
		withCA := tlsconf.Config{CA: conf.CA, Mode: tlsconf.VerifyCA}
		expectRefusal(t, s.Addr, withCA, "BS-TLS-REFUSED", tlsconf.ReasonExpired)
	})
	t.Run("a certificate of another host is refused", func(t *testing.T) {
		s := start(t, testmysql.Options{Name: "elsewhere", Certificate: issue(t, ca, testmysql.IssueOptions{Hosts: []string{"db.example"}})})
		expectRefusal(t, s.Addr, conf, "BS-TLS-REFUSED", tlsconf.ReasonOtherHost)
		tunnel := endpoint(t, "target", s.Addr, tlsconf.Config{CA: conf.CA, ServerName: "db.example"})
		if err := session(t.Context(), tunnel); err != nil {
			t.Errorf("with server_name: %v", err)
		}
	})

	s := startServer(t, testmysql.Options{Name: "good", CA: ca, Binlog: true})
	t.Run("a certificate of an unknown CA is refused", func(t *testing.T) {
		expectRefusal(t, s.Addr, tlsconf.Config{CA: writeCA(t, newCA(t, "stranger"))}, "BS-TLS-REFUSED", tlsconf.ReasonUnknownCA)
		expectRefusal(t, s.Addr, tlsconf.Config{CA: tlsconf.CAAWSRDS, Mode: tlsconf.VerifyCA}, "BS-TLS-REFUSED", tlsconf.ReasonUnknownCA)
	})
	t.Run("another key than the pinned one is refused", func(t *testing.T) {
		pin := tlsconf.Config{Mode: tlsconf.Pin, Pin: []string{strings.Repeat("0", 64)}}
		expectRefusal(t, s.Addr, pin, "BS-TLS-REFUSED", tlsconf.ReasonPin)
	})
	cert := issue(t, ca, testmysql.IssueOptions{})
	t.Run("a server that speaks TLS 1.1 at most is refused", func(t *testing.T) {
		old := terminator(t, faultproxy.TerminateOptions{Upstream: s.Addr, Server: &tls.Config{
			Certificates: []tls.Certificate{cert.TLS}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
		}})
		expectRefusal(t, old.Addr(), conf, "BS-TLS-REFUSED", tlsconf.ReasonOldVersion)
	})
	t.Run("a certificate that is not valid yet is refused", func(t *testing.T) {
		cert := issue(t, ca, testmysql.IssueOptions{NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)})
		early := terminator(t, faultproxy.TerminateOptions{Upstream: s.Addr, Server: &tls.Config{Certificates: []tls.Certificate{cert.TLS}}})
		for _, mode := range []tlsconf.Mode{tlsconf.VerifyIdentity, tlsconf.VerifyCA} {
			expectRefusal(t, early.Addr(), tlsconf.Config{CA: conf.CA, Mode: mode}, "BS-TLS-REFUSED", tlsconf.ReasonNotYetValid)
		}
	})
	t.Run("a SHA-1 signature is refused", func(t *testing.T) {
		old, err := testmysql.NewRSACA("sha1-ca")
		if err != nil {
			t.Fatal(err)
		}
		weak := terminator(t, faultproxy.TerminateOptions{Upstream: s.Addr, Server: &tls.Config{Certificates: []tls.Certificate{issue(t, old, testmysql.IssueOptions{SHA1: true}).TLS}}})
		for _, mode := range []tlsconf.Mode{tlsconf.VerifyIdentity, tlsconf.VerifyCA} {
			expectRefusal(t, weak.Addr(), tlsconf.Config{CA: writeCA(t, old), Mode: mode}, "BS-TLS-REFUSED", tlsconf.ReasonSHA1)
		}
	})
	t.Run("tls.legacy takes TLS 1.0 with RSA from a source, verified and marked as weak", func(t *testing.T) { legacy(t, s.Addr) })
	t.Run("a man in the middle who strips TLS gets nothing", func(t *testing.T) {
		strip := terminator(t, faultproxy.TerminateOptions{Upstream: s.Addr, StripSSL: true})
		expectRefusal(t, strip.Addr(), conf, "BS-TLS-REFUSED", tlsconf.ReasonNoTLS)
		if r := strip.Report(); r.Connections != 2 || r.PlainBytes != 0 {
			t.Errorf("%d connections sent %d bytes in clear", r.Connections, r.PlainBytes)
		}
	})
	t.Run("a wrong password is a refused login", func(t *testing.T) {
		for leg, open := range legs {
			e := endpoint(t, leg, s.Addr, conf)
			e.Password = staticPassword("wrong-password")
			if err := open(t.Context(), e); change.FaultOf(err) == nil || change.FaultOf(err).Code != "BS-AUTH-REFUSED" || strings.Contains(err.Error(), "app") {
				t.Errorf("%s: %v", leg, err)
			}
		}
	})
	t.Run("a dump without its privilege says so, though the server answers as to a wrong password", func(t *testing.T) {
		err := dump(t.Context(), endpoint(t, "source", s.Addr, conf))
		if f := change.FaultOf(err); f == nil || f.Class != change.ClassEnvironment || !strings.Contains(f.Next, "REPLICATION SLAVE") {
			t.Errorf("got %v", err)
		}
	})
}

// legacy puts a server of TLS 1.0 with key exchange by RSA before upstream, as MySQL 5.6 is one.
func legacy(t *testing.T, upstream string) {
	ca, err := testmysql.NewRSACA("legacy-ca")
	if err != nil {
		t.Fatal(err)
	}
	old := func(o testmysql.IssueOptions) string {
		return terminator(t, faultproxy.TerminateOptions{Upstream: upstream, Server: &tls.Config{
			Certificates: []tls.Certificate{issue(t, ca, o).TLS}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
			CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA},
		}}).Addr()
	}
	addr := old(testmysql.IssueOptions{})
	strict := tlsconf.Config{CA: writeCA(t, ca)}
	expectRefusal(t, addr, strict, "BS-TLS-REFUSED", tlsconf.ReasonOldVersion)
	if err := dump(t.Context(), endpoint(t, "source", addr, strict)); !strings.Contains(change.FaultOf(err).Next, "tls.legacy") {
		t.Errorf("the refusal does not say what can be done: %v", err)
	}
	weak := strict
	weak.Legacy = true
	e := endpoint(t, "source", addr, weak)
	var got []tlsconf.Evidence
	e.OnEvidence = func(ev tlsconf.Evidence) { got = append(got, ev) }
	if err := session(t.Context(), e); err != nil || len(got) != 1 || !got[0].Weak || got[0].Version != "TLS 1.0" || !strings.Contains(got[0].WeakReason, "RSA") {
		t.Errorf("error %v, evidence %+v", err, got)
	}
	stranger := weak
	stranger.CA = writeCA(t, newCA(t, "stranger"))
	for name, c := range map[string]struct {
		addr, reason string
		conf         tlsconf.Config
	}{
		"an unknown CA":             {addr, tlsconf.ReasonUnknownCA, stranger},
		"another host":              {old(testmysql.IssueOptions{Hosts: []string{"db.example"}}), tlsconf.ReasonOtherHost, weak},
		"a certificate of no host":  {old(testmysql.IssueOptions{NoSAN: true}), tlsconf.ReasonNoHost, weak},
		"an expired certificate":    {old(testmysql.IssueOptions{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}), tlsconf.ReasonExpired, weak},
		"another key than a pinned": {addr, tlsconf.ReasonPin, tlsconf.Config{Legacy: true, Mode: tlsconf.Pin, Pin: []string{strings.Repeat("0", 64)}}},
	} {
		err := session(t.Context(), endpoint(t, "source", c.addr, c.conf))
		if f := change.FaultOf(err); f == nil || f.Code != "BS-TLS-REFUSED" || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
	}
	byCA := weak
	byCA.Mode = tlsconf.VerifyCA
	if err := session(t.Context(), endpoint(t, "source", old(testmysql.IssueOptions{NoSAN: true}), byCA)); err != nil {
		t.Errorf("verify-ca without a name: %v", err)
	}
}

// A client certificate that the server's TLS library does not accept, and an account that asks for one.
func TestClientCertificates(t *testing.T) {
	ca := newCA(t, "client-ca")
	s := startServer(t, testmysql.Options{Name: "x509", CA: ca, Binlog: true})
	s.Exec(t, "GRANT REPLICATION SLAVE ON *.* TO app", "ALTER USER app REQUIRE X509")
	pair := func(ca *testmysql.CA) (cert, key string) {
		cert, key, err := issue(t, ca, testmysql.IssueOptions{CommonName: "binseal", Client: true}).Write(t.TempDir(), "client")
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	with := tlsconf.Config{CA: writeCA(t, ca)}
	t.Run("an account that requires one refuses a client without", func(t *testing.T) {
		expectRefusal(t, s.Addr, with, "BS-AUTH-REFUSED", "access denied")
	})
	t.Run("a certificate of another CA is named", func(t *testing.T) {
		c := with
		c.Cert, c.Key = pair(newCA(t, "stranger"))
		expectRefusal(t, s.Addr, c, "BS-TLS-REFUSED", tlsconf.ReasonClientCert)
	})
	t.Run("the right certificate lets both legs in", func(t *testing.T) {
		c := with
		c.Cert, c.Key = pair(ca)
		for leg, open := range legs {
			if err := open(t.Context(), endpoint(t, leg, s.Addr, c)); err != nil {
				t.Errorf("%s: %v", leg, err)
			}
		}
	})
}

// mysqld's own certificate has no names: verify-identity must refuse it, verify-ca and pin may take it.
func TestCertificateThatMysqldMadeItself(t *testing.T) {
	s := startServer(t, testmysql.Options{
		Name: "auto", Binlog: true, NoTLS: true, // Gives no certificates, and so lets the server make its own.
		Extra: []string{"--tls-version=TLSv1.2,TLSv1.3", "--auto-generate-certs=ON"},
	})
	s.Exec(t, "GRANT REPLICATION SLAVE ON *.* TO app")
	ca, pin := s.DataDir+"/ca.pem", pinOf(t, s.DataDir, "server-cert.pem")
	expectRefusal(t, s.Addr, tlsconf.Config{CA: ca}, "BS-TLS-REFUSED", tlsconf.ReasonNoHost)
	for name, c := range map[string]tlsconf.Config{
		"verify-ca": {CA: ca, Mode: tlsconf.VerifyCA}, "pin": {Mode: tlsconf.Pin, Pin: []string{pin}},
		"pin with its CA": {Mode: tlsconf.Pin, Pin: []string{pin}, CA: ca},
	} {
		for leg, open := range legs {
			t.Run(name+" on the "+leg, func(t *testing.T) {
				var got []tlsconf.Evidence
				e := endpoint(t, leg, s.Addr, c)
				e.OnEvidence = func(ev tlsconf.Evidence) { got = append(got, ev) }
				if err := open(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				if len(got) == 0 || got[0].SPKI != pin || got[0].Version != "TLS 1.3" || got[0].Verified != c.Mode || got[0].Leg != leg {
					t.Errorf("evidence %+v", got)
				}
			})
		}
	}
}

func TestUnreachableServers(t *testing.T) {
	conf := tlsconf.Config{CA: tlsconf.CAAWSRDS}
	proxy, err := faultproxy.New("127.0.0.1:1") // Nobody listens there.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	silent, err := net.Listen("tcp", "127.0.0.1:0") // The kernel accepts, and nobody answers.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for name, tc := range map[string]struct{ addr, want string }{
		"a closed port":                  {"127.0.0.1:1", "connection refused"},
		"a name that does not resolve":   {"none.invalid:3306", "name"},
		"a server that hangs up at once": {proxy.Addr(), "connection"}, // Lost or reset, as the kernel has it.
		"a server that says nothing":     {silent.Addr().String(), "no session within the dial timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			e := endpoint(t, "target", tc.addr, conf)
			e.DialTimeout = time.Second
			begin := time.Now()
			_, err := e.Open(t.Context(), SessionOptions{})
			f := change.FaultOf(err)
			if f == nil || f.Code != "BS-CONNECT" || f.Class != change.ClassRuntime || !Retryable(err) || Ambiguous(err) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want BS-CONNECT with %q", err, tc.want)
			}
			if took := time.Since(begin); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	t.Run("a cancelled context is not a fault", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := endpoint(t, "target", silent.Addr().String(), conf).Open(ctx, SessionOptions{})
		if !errors.Is(err, context.DeadlineExceeded) || change.FaultOf(err) != nil {
			t.Errorf("got %v", err)
		}
	})
	for _, addr := range []string{"host", "host:0", "host:x", ":3306"} {
		if err := (&Endpoint{Leg: "source", Addr: addr}).Dump(t.Context(), func(DumpSettings) error { return nil }); change.FaultOf(err) == nil || change.FaultOf(err).Class != change.ClassConfig {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if _, err := (&Endpoint{Leg: "source", Addr: "host:1", Password: staticPassword("x")}).Open(t.Context(), SessionOptions{}); change.FaultOf(err).Code != "BS-TLS-ABSENT" {
		t.Errorf("an endpoint without TLS: %v", err)
	}
}

func terminator(t *testing.T, o faultproxy.TerminateOptions) *faultproxy.Terminator {
	t.Helper()
	p, err := faultproxy.TerminateTLS(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}
