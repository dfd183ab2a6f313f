package mysqlconn

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/tlsconf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func staticPassword(s string) Provider {
	return func(context.Context, ...Secret) (Secret, error) { return Secret(s), nil }
}

// endpoint reaches addr as the user app with the tls section c.
func endpoint(t *testing.T, leg, addr string, c tlsconf.Config) *Endpoint {
	t.Helper()
	client, err := tlsconf.New(leg, c)
	if err != nil {
		t.Fatal(err)
	}
	return &Endpoint{
		Leg: leg, Addr: addr, User: "app", Password: staticPassword("app-password"), TLS: client, DialTimeout: 5 * time.Second,
	}
}

// startServer runs a mysqld with the user app, who may do what an applier may.
func startServer(t *testing.T, o testmysql.Options) *testmysql.Server {
	t.Helper()
	s := testmysql.StartT(t, o)
	s.Exec(t, "CREATE DATABASE shop",
		"CREATE USER app IDENTIFIED BY 'app-password'",
		"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON shop.* TO app")
	return s
}

func writeCA(t *testing.T, ca *testmysql.CA) string {
	t.Helper()
	path, err := ca.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func newCA(t *testing.T, name string) *testmysql.CA {
	t.Helper()
	ca, err := testmysql.NewCA(name)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t *testing.T, ca *testmysql.CA, o testmysql.IssueOptions) *testmysql.Certificate {
	t.Helper()
	cert, err := ca.Issue(o)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// pinOf is the pin of a certificate in a PEM file.
func pinOf(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(hash[:])
}
