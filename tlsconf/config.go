// Package tlsconf makes the *tls.Config of each connection to a MySQL server: three modes of verification, trust
// from a file, the system or the embedded Amazon RDS roots, client certificates, and a record of what each
// handshake proved (Evidence).
//
// It never makes a config that accepts an unverified peer, and it opens no connection itself. Its callers are
// mysqlconn, which dials, and config, which embeds Config.
package tlsconf

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Mode is how far the peer's certificate is verified.
type Mode string

// The modes. There is none without verification.
const (
	// VerifyIdentity checks the chain up to the CA, the dates, and that the certificate names the host. The default.
	VerifyIdentity Mode = "verify-identity"
	// VerifyCA checks the chain and the dates, but not the host name: for certificates without a name, as mysqld
	// generates for itself.
	VerifyCA Mode = "verify-ca"
	// Pin checks that the peer holds one of the configured public keys; with a CA also the chain and the dates.
	Pin Mode = "pin"
)

// The words that CA takes beside a file name.
const (
	CASystem = "system"  // The roots of the operating system; Go reads them once in a process.
	CAAWSRDS = "aws-rds" // The embedded roots of Amazon RDS and Aurora (commercial regions).
)

// Config is the tls section of one leg in the config file.
type Config struct {
	CA   string   `yaml:"ca"`   // A PEM file, "system" or "aws-rds"; may be empty only in mode pin.
	Mode Mode     `yaml:"mode"` // Empty means verify-identity.
	Cert string   `yaml:"cert"` // PEM file of the client certificate and its chain; empty for none.
	Key  string   `yaml:"key"`  // PEM file of the client certificate's key.
	Pin  []string `yaml:"pin"`  // sha256/BASE64 or 64 hex digits: SHA-256 of the peer's public key (SPKI).
	// Legacy takes what servers speak that know no TLS 1.2: TLS 1.0 and 1.1, and key exchange by RSA. The peer is verified
	// all the same, but who records the traffic can read it once he has the server's key. Only for the source.
	Legacy     bool   `yaml:"legacy"`
	ServerName string `yaml:"server_name"` // The name to verify, when it is not the dialled host (tunnels).
}

// Validate checks the section without touching files. Its errors begin with the key's path below the leg, such as
// "tls.mode".
func (c Config) Validate() error {
	switch c.mode() {
	case VerifyIdentity, VerifyCA:
		if c.CA == "" {
			return fmt.Errorf(`tls.ca: missing; name a PEM file, "system" or "aws-rds"`)
		}
		if len(c.Pin) > 0 {
			return fmt.Errorf("tls.pin: has no effect in mode %s; use mode: pin", c.mode())
		}
	case Pin:
		if len(c.Pin) == 0 {
			return errors.New("tls.pin: missing; mode pin needs the SHA-256 of at least one public key")
		}
	default:
		return fmt.Errorf("tls.mode: %q is not one of verify-identity, verify-ca, pin", string(c.Mode))
	}
	for i, p := range c.Pin {
		if _, err := parsePin(p); err != nil {
			return fmt.Errorf("tls.pin[%d]: %w", i, err)
		}
	}
	if c.Cert != "" && c.Key == "" {
		return errors.New("tls.key: missing; tls.cert needs its key")
	}
	if c.Key != "" && c.Cert == "" {
		return errors.New("tls.cert: missing; tls.key needs its certificate")
	}
	return nil
}

func (c Config) mode() Mode {
	if c.Mode == "" {
		return VerifyIdentity
	}
	return c.Mode
}

// parsePin reads sha256/BASE64 (the form of RFC 7469 and curl, with "/" or "//") or 64 hex digits, colons allowed.
func parsePin(s string) ([sha256.Size]byte, error) {
	var pin [sha256.Size]byte
	var raw []byte
	var err error
	if rest, ok := strings.CutPrefix(s, "sha256/"); ok {
		raw, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "/"))
	} else {
		raw, err = hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	}
	if err != nil || len(raw) != len(pin) {
		return pin, fmt.Errorf("%q is neither sha256/BASE64 nor 64 hex digits of a SHA-256", s)
	}
	return [sha256.Size]byte(raw), nil
}
