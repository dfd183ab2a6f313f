package tlsconf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Client makes the TLS configs of one leg. It is immutable and safe for concurrent use; the files that it names
// are read at each For.
type Client struct {
	leg  string
	cfg  Config
	pins map[[sha256.Size]byte]bool
}

// New checks c and reads its files once, so that a wrong path shows at start and not at the first dial. The leg,
// "source" or "target", goes into errors and Evidence.
func New(leg string, c Config) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("%s.%w", leg, err)
	}
	if c.Legacy && leg != "source" {
		return nil, fmt.Errorf("%s.tls.legacy: only a source may be that old", leg)
	}
	client := &Client{leg: leg, cfg: c, pins: map[[sha256.Size]byte]bool{}}
	for _, p := range c.Pin {
		pin, err := parsePin(p)
		if err != nil {
			return nil, fmt.Errorf("%s.tls.pin: %w", leg, err)
		}
		client.pins[pin] = true
	}
	if _, err := client.For("localhost", nil); err != nil {
		return nil, err
	}
	return client, nil
}

// Mode is the mode in which peers are verified.
func (c *Client) Mode() Mode { return c.cfg.mode() }

// For makes the config for one dial to addr ("host" or "host:port"), reading CA and certificate files anew.
// ServerName is always set and TLS 1.2 is the least version (1.0 with Legacy). Each verified handshake is handed to record, which
// may be nil; record is called within the handshake and must not block.
//
// Invariant 5: no byte of a row, a credential or a query leaves over a connection that is not TLS with a verified
// peer. Where InsecureSkipVerify is set, only Go's check of the host name is given up: VerifyConnection, which Go
// calls for each handshake and also for resumed sessions, verifies what the mode promises.
func (c *Client) For(addr string, record func(Evidence)) (*tls.Config, error) {
	name := c.cfg.ServerName
	if name == "" {
		name = hostOf(addr)
	}
	if name == "" {
		return nil, fmt.Errorf("%s.tls.server_name: %q names no host to verify", c.leg, addr)
	}
	var roots *x509.CertPool
	if c.cfg.CA != "" {
		var err error
		if roots, err = loadCA(c.cfg.CA); err != nil {
			return nil, fmt.Errorf("%s.%w", c.leg, err)
		}
	}
	own, err := c.ownCertificate()
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{
		ServerName:         name,
		MinVersion:         tls.VersionTLS12,
		RootCAs:            roots,
		InsecureSkipVerify: c.cfg.mode() != VerifyIdentity, // The other modes verify below.
		VerifyConnection: func(cs tls.ConnectionState) error {
			if err := c.verify(cs, roots); err != nil {
				return err
			}
			if record != nil {
				record(c.evidence(addr, name, leafOf(own), cs))
			}
			return nil
		},
	}
	if c.cfg.Legacy {
		conf.MinVersion, conf.CipherSuites = tls.VersionTLS10, legacySuites()
	}
	if own != nil {
		// It is shown whatever CAs the server asks for: were it left out for a CA that the server does not list, the server
		// would refuse the user instead of the certificate.
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
	return conf, nil
}

// ownCertificate loads the client certificate; nil without one.
func (c *Client) ownCertificate() (*tls.Certificate, error) {
	if c.cfg.Cert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.cfg.Cert, c.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("%s.tls.cert: %s with %s: %w", c.leg, c.cfg.Cert, c.cfg.Key, err)
	}
	return &cert, nil
}

func leafOf(cert *tls.Certificate) *x509.Certificate {
	if cert == nil {
		return nil
	}
	return cert.Leaf
}

// verify does what the mode promises beyond Go's own verification.
func (c *Client) verify(cs tls.ConnectionState, roots *x509.CertPool) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("tls: server sent no certificate")
	}
	switch c.cfg.mode() {
	case VerifyIdentity:
		// Go has verified chain, dates and name already. A config that has lost that by accident must not pass.
		if len(cs.VerifiedChains) == 0 {
			return errors.New("tls: server certificate was not verified")
		}
		return nil
	case VerifyCA:
		return verifyChain(cs.PeerCertificates, roots)
	case Pin:
		leaf := cs.PeerCertificates[0]
		if hash := spkiHash(leaf); !c.pins[hash] {
			return &PinError{SPKI: hex.EncodeToString(hash[:])}
		}
		if roots != nil {
			return verifyChain(cs.PeerCertificates, roots)
		}
		return nil
	}
	return fmt.Errorf("tls.mode: %q is not known", string(c.cfg.Mode))
}

// verifyChain verifies chain and dates but no host name.
func verifyChain(certs []*x509.Certificate, roots *x509.CertPool) error {
	if roots == nil {
		return errors.New("tls: no CA to verify the server certificate with")
	}
	opts := x509.VerifyOptions{
		Roots:         roots,
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, cert := range certs[1:] {
		opts.Intermediates.AddCert(cert)
	}
	if _, err := certs[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: certs, Err: err}
	}
	return nil
}

// PinError reports a peer whose public key is none of the configured pins.
type PinError struct {
	SPKI string // SHA-256 of the key that the peer showed, hex.
}

// Error names the key that was shown, so that an operator can compare it with the server's.
func (e *PinError) Error() string {
	return "tls: no pin matches the server's public key " + e.SPKI
}

// hostOf takes the host out of host, host:port or [v6]:port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return strings.Trim(addr, "[]")
}
