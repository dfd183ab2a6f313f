package faultproxy_test

import (
	"crypto/tls"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
)

// ping opens one session as root's stand-in over the address and closes it.
func ping(t *testing.T, addr string, config *tls.Config) error {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.TLS = "app", "secret", "tcp", addr, config
	cfg.Logger = mysql.Logger(&mysql.NopLogger{})
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	return db.PingContext(t.Context())
}

func TestTerminatorOffersWhatARealServerWouldNot(t *testing.T) {
	server := testmysql.StartT(t, testmysql.Options{RequireSecureTransport: true})
	server.Exec(t, "CREATE USER app@'%' IDENTIFIED BY 'secret' REQUIRE SSL")
	good := issue(t, server.CA, testmysql.IssueOptions{})
	cases := map[string]struct {
		server  *tls.Config
		strip   bool
		refusal string // Part of the client's error; "" when it must work.
	}{
		"a good certificate": {server: &tls.Config{Certificates: good}},
		"TLS 1.1 at most": {
			server:  &tls.Config{Certificates: good, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			refusal: "protocol version",
		},
		"an expired certificate": {
			server:  &tls.Config{Certificates: issue(t, server.CA, testmysql.IssueOptions{NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})},
			refusal: "expired",
		},
		"a certificate for another host": {
			server:  &tls.Config{Certificates: issue(t, server.CA, testmysql.IssueOptions{Hosts: []string{"other.test"}})},
			refusal: "other.test",
		},
		"a certificate of another CA": {
			server:  &tls.Config{Certificates: issue(t, newCA(t), testmysql.IssueOptions{})},
			refusal: "unknown authority",
		},
		"no TLS at all": {strip: true, refusal: "TLS requested but server does not support TLS"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			term, err := faultproxy.TerminateTLS(faultproxy.TerminateOptions{Upstream: server.Addr, Server: c.server, StripSSL: c.strip})
			if err != nil {
				t.Fatal(err)
			}
			err = ping(t, term.Addr(), server.TLSConfig())
			if closeErr := term.Close(); closeErr != nil {
				t.Error(closeErr)
			}
			if c.refusal == "" && err != nil || c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)) {
				t.Errorf("got %v, want %q", err, c.refusal)
			}
			r := term.Report()
			if len(r.Plaintext) > 0 || r.PlainBytes > 0 || r.UpstreamError != nil {
				t.Errorf("report: %+v", r)
			}
		})
	}
}

func TestPlaintextOfACarelessClientIsSeen(t *testing.T) {
	server := testmysql.StartT(t, testmysql.Options{})
	server.Exec(t, "CREATE USER app@'%' IDENTIFIED BY 'secret'")
	p, err := faultproxy.New(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := ping(t, p.Addr(), server.TLSConfig()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string(nil), p.Plaintext()); diff != "" {
		t.Errorf("a careful client (-want +got):\n%s", diff)
	}
	_ = ping(t, p.Addr(), nil) // Whether it gets in does not matter.
	want := []string{"to client: bytes that are not a TLS record", "to server: the first packet is no SSLRequest"}
	got := p.Plaintext()
	if diff := cmp.Diff(want[1:], got[:1]); diff != "" {
		t.Errorf("a careless client (-want +got):\n%s", diff)
	}
}

func issue(t *testing.T, ca *testmysql.CA, o testmysql.IssueOptions) []tls.Certificate {
	t.Helper()
	c, err := ca.Issue(o)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{c.TLS}
}

func newCA(t *testing.T) *testmysql.CA {
	t.Helper()
	ca, err := testmysql.NewCA("another CA")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}
