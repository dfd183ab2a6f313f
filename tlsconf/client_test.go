package tlsconf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	pin := "sha256/" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, tc := range map[string]struct {
		give Config
		want string // Start of the error; "" for none.
	}{
		"a CA alone is verify-identity":       {Config{CA: "aws-rds"}, ""},
		"no CA is refused":                    {Config{}, "tls.ca: missing"},
		"verify-ca needs a CA":                {Config{Mode: VerifyCA}, "tls.ca: missing"},
		"an unknown mode is refused":          {Config{CA: "system", Mode: "skip-verify"}, "tls.mode: "},
		"pin without a pin is refused":        {Config{Mode: Pin, CA: "system"}, "tls.pin: missing"},
		"pin needs no CA":                     {Config{Mode: Pin, Pin: []string{pin}}, ""},
		"a pin in hex with colons is read":    {Config{Mode: Pin, Pin: []string{strings.Repeat("ab:", 31) + "ab"}}, ""},
		"a short pin is refused by its index": {Config{Mode: Pin, Pin: []string{pin, "sha256/AAAA"}}, "tls.pin[1]: "},
		"a pin in another mode is refused":    {Config{CA: "system", Pin: []string{pin}}, "tls.pin: has no effect"},
		"a certificate needs its key":         {Config{CA: "system", Cert: "a"}, "tls.key: missing"},
		"a key needs its certificate":         {Config{CA: "system", Key: "a"}, "tls.cert: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := tc.give.Validate(); err != nil {
				got = err.Error()
			}
			if (tc.want == "") != (got == "") || !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %q, want prefix %q", got, tc.want)
			}
		})
	}
}

func TestCAFiles(t *testing.T) {
	dir := t.TempDir()
	good, err := os.ReadFile(newCA(t, "ca").file)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"an empty file is refused":                  {"  \n", "the file is empty"},
		"a file without PEM is refused":             {"hello", "no PEM certificate"},
		"a broken certificate is refused by number": {string(good) + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 2"},
		"a cut bundle is refused":                   {string(good) + string(good[:len(good)/2]), "1 of 2 certificates are not valid PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := New("source", Config{CA: file})
			if err == nil || !strings.HasPrefix(err.Error(), "source.tls.ca: "+file) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want the path and %q", err, tc.want)
			}
		})
	}
	t.Run("a missing file is refused by path", func(t *testing.T) {
		_, err := New("target", Config{CA: filepath.Join(dir, "none.pem")})
		if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "none.pem") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the embedded RDS roots and the system's are read", func(t *testing.T) {
		for _, ca := range []string{CAAWSRDS, CASystem} {
			if _, err := New("target", Config{CA: ca}); err != nil {
				t.Errorf("%s: %v", ca, err)
			}
		}
	})
}

func TestHandshakeRefusals(t *testing.T) {
	ca, other, rsaCA := newCA(t, "ca"), newCA(t, "other-ca"), newRSACA(t)
	ok := ca.issue(t, nil)
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	}
	future := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }
	nameless := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }
	elsewhere := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"db.example"}, nil }
	sha1 := func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }
	clientOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	strangerCert, strangerKey := writePair(t, other.issue(t, nil))
	requireClient := func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		c.ClientCAs.AddCert(ca.cert)
	}
	identity, verifyCA := Config{CA: ca.file}, Config{CA: ca.file, Mode: VerifyCA}
	wrongPin := []string{strings.Repeat("00", 32)}
	for name, tc := range map[string]struct {
		conf   Config
		cert   tls.Certificate
		change func(*tls.Config)
		want   string
	}{
		"verify-identity refuses an unknown CA":            {Config{CA: other.file}, ok, nil, ReasonUnknownCA},
		"verify-identity refuses another host":             {identity, ca.issue(t, elsewhere), nil, ReasonOtherHost},
		"verify-identity refuses a certificate of no host": {identity, ca.issue(t, nameless), nil, ReasonNoHost},
		"verify-identity refuses an expired certificate":   {identity, ca.issue(t, expired), nil, ReasonExpired},
		"verify-identity refuses a future certificate":     {identity, ca.issue(t, future), nil, ReasonNotYetValid},
		"verify-identity refuses a client's certificate":   {identity, ca.issue(t, clientOnly), nil, ReasonWrongUsage},
		"verify-identity refuses SHA-1":                    {Config{CA: rsaCA.file}, rsaCA.issue(t, sha1), nil, ReasonSHA1},
		"verify-ca refuses an unknown CA":                  {Config{CA: other.file, Mode: VerifyCA}, ok, nil, ReasonUnknownCA},
		"verify-ca refuses an expired certificate":         {verifyCA, ca.issue(t, expired), nil, ReasonExpired},
		"verify-ca refuses a future certificate":           {verifyCA, ca.issue(t, future), nil, ReasonNotYetValid},
		"pin refuses another key":                          {Config{Mode: Pin, Pin: wrongPin}, ok, nil, ReasonPin},
		"pin with a CA refuses an unknown CA": {
			Config{Mode: Pin, Pin: []string{pinOf(t, ok)}, CA: other.file}, ok, nil, ReasonUnknownCA,
		},
		"TLS 1.1 at most is refused": {
			identity, ok, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, ReasonOldVersion,
		},
		"a required client certificate that is missing is named": {identity, ok, requireClient, ReasonClientCert},
		"a client certificate of another CA is named": {
			Config{CA: ca.file, Cert: strangerCert, Key: strangerKey}, ok, requireClient, ReasonClientCert,
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := &tls.Config{Certificates: []tls.Certificate{tc.cert}}
			if tc.change != nil {
				tc.change(server)
			}
			err := connect(t, tc.conf, server, nil)
			if err == nil {
				t.Fatal("the handshake was accepted")
			}
			expectReason(t, err, tc.want)
			// Drivers wrap errors, and some keep only the text.
			expectReason(t, fmt.Errorf("dial: %w", &net.OpError{Op: "read", Net: "tcp", Err: err}), tc.want)
			if tc.want != ReasonNoHost { // For an address, Go's text does not tell a nameless certificate from another host's.
				expectReason(t, errors.New("readInitialHandshake: "+err.Error()), tc.want)
			}
		})
	}
	t.Run("a server that speaks no TLS is named", func(t *testing.T) {
		expectReason(t, connect(t, identity, nil, nil), ReasonNotTLS)
	})
}

func TestHandshakesAccepted(t *testing.T) {
	ca := newCA(t, "ca")
	ok := ca.issue(t, nil)
	nameless := ca.issue(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil })
	elsewhere := ca.issue(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"db.example"}, nil })
	certFile, keyFile := writePair(t, ca.issue(t, nil))
	for name, tc := range map[string]struct {
		conf Config
		cert tls.Certificate
		tls  uint16
	}{
		"verify-identity by address":           {Config{CA: ca.file}, ok, tls.VersionTLS13},
		"verify-identity with TLS 1.2":         {Config{CA: ca.file}, ok, tls.VersionTLS12},
		"verify-identity by server_name":       {Config{CA: ca.file, ServerName: "db.example"}, elsewhere, tls.VersionTLS13},
		"verify-ca without a name":             {Config{CA: ca.file, Mode: VerifyCA}, nameless, tls.VersionTLS13},
		"pin without a CA":                     {Config{Mode: Pin, Pin: []string{pinOf(t, nameless)}}, nameless, tls.VersionTLS13},
		"pin with a CA":                        {Config{Mode: Pin, Pin: []string{pinOf(t, ok)}, CA: ca.file}, ok, tls.VersionTLS13},
		"a client certificate that is trusted": {Config{CA: ca.file, Cert: certFile, Key: keyFile}, ok, tls.VersionTLS13},
	} {
		t.Run(name, func(t *testing.T) {
			server := &tls.Config{Certificates: []tls.Certificate{tc.cert}, MaxVersion: tc.tls}
			if tc.conf.Cert != "" {
				server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
				server.ClientCAs.AddCert(ca.cert)
			}
			var got []Evidence
			if err := connect(t, tc.conf, server, func(e Evidence) { got = append(got, e) }); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 {
				t.Fatalf("%d evidence records, want 1", len(got))
			}
			expectEvidence(t, got[0], tc.conf, tc.cert, tc.tls)
		})
	}
}

func TestRotatedCAIsUsedAtTheNextDial(t *testing.T) {
	before, after := newCA(t, "before"), newCA(t, "after")
	client, err := New("source", Config{CA: before.file})
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{after.issue(t, nil)}}
	dial := func() error {
		conf, err := client.For("127.0.0.1:3306", nil)
		if err != nil {
			t.Fatal(err)
		}
		return handshake(t, conf, server)
	}
	expectReason(t, dial(), ReasonUnknownCA)
	text, err := os.ReadFile(after.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(before.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dial(); err != nil {
		t.Error(err)
	}
}

func TestServerNameIsAlwaysSet(t *testing.T) {
	client, err := New("source", Config{CA: CAAWSRDS})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"db.example:3306": "db.example", "db.example": "db.example", "[::1]:3306": "::1", "10.0.0.7:3306": "10.0.0.7",
	} {
		conf, err := client.For(addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		if conf.ServerName != want || conf.MinVersion != tls.VersionTLS12 {
			t.Errorf("%s: ServerName %q, MinVersion %x", addr, conf.ServerName, conf.MinVersion)
		}
	}
	if _, err := client.For(":3306", nil); err == nil {
		t.Error("an address without a host was accepted")
	}
}

func TestReasonIgnoresOtherErrors(t *testing.T) {
	for _, err := range []error{nil, errors.New("connection refused"), net.ErrClosed, errors.New("remote error: tls: internal error")} {
		if reason, ok := Reason(err); ok {
			t.Errorf("%v: %q", err, reason)
		}
	}
	expectReason(t, errors.New("the MySQL Server does not support TLS required by the client"), ReasonNoTLS)
	expectReason(t, errors.New("TLS requested but server does not support TLS"), ReasonNoTLS)
	expectReason(t, errors.New("tls: server selected unsupported protocol version 301"), ReasonOldVersion)
}

func connect(t *testing.T, c Config, server *tls.Config, record func(Evidence)) error {
	t.Helper()
	client, err := New("source", c)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := client.For("127.0.0.1:3306", record)
	if err != nil {
		t.Fatal(err)
	}
	return handshake(t, conf, server)
}

func expectReason(t *testing.T, err error, want string) {
	t.Helper()
	got, ok := Reason(err)
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("reason of %q (-want +got):\n%s", err, diff)
	}
}

func expectEvidence(t *testing.T, got Evidence, c Config, cert tls.Certificate, version uint16) {
	t.Helper()
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := sha256.Sum256(leaf.Raw)
	name := c.ServerName
	if name == "" {
		name = "127.0.0.1"
	}
	want := Evidence{
		Leg: "source", Peer: "127.0.0.1:3306", Version: tls.VersionName(version),
		Fingerprint: hex.EncodeToString(fingerprint[:]), SPKI: pinOf(t, cert), Subject: "test server", Issuer: "ca",
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Verified: c.mode(), ServerName: name, ClientCert: c.Cert != "",
		At: got.At, Cipher: got.Cipher,
	}
	if c.Cert != "" {
		own, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(own.Leaf.Raw)
		want.ClientFingerprint, want.ClientNotAfter = hex.EncodeToString(sum[:]), own.Leaf.NotAfter
	}
	if version == tls.VersionTLS13 {
		want.Curve, want.PostQuantum = "X25519MLKEM768", true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if time.Since(got.At) > time.Minute || !strings.HasPrefix(got.Cipher, "TLS_") {
		t.Errorf("at %v, cipher %q", got.At, got.Cipher)
	}
}

// pinOf is the pin of a certificate's key in hex.
func pinOf(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(hash[:])
}
