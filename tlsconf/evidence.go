package tlsconf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"
)

// Evidence is what one TLS handshake proved about a connection. It holds names and hashes of public values only.
type Evidence struct {
	Leg         string    `json:"leg"`          // "source" or "target".
	Peer        string    `json:"peer"`         // The address that was dialled, as configured.
	At          time.Time `json:"at"`           // Local clock, UTC.
	Version     string    `json:"version"`      // "TLS 1.3"
	Cipher      string    `json:"cipher"`       // "TLS_AES_128_GCM_SHA256"
	Curve       string    `json:"curve"`        // Key exchange group, "X25519MLKEM768"; "" in TLS 1.2, where it is agreed later.
	PostQuantum bool      `json:"post_quantum"` // Whether the group is a post-quantum hybrid.
	Fingerprint string    `json:"fingerprint"`  // SHA-256 of the peer's certificate, hex.
	SPKI        string    `json:"spki"`         // SHA-256 of the peer's public key, hex: what tls.pin takes.
	Subject     string    `json:"subject"`      // Common name of the peer's certificate; may be empty.
	Issuer      string    `json:"issuer"`       // Common name of its issuer; may be empty.
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"` // Alert on it well before.
	Verified    Mode      `json:"verified"`  // The mode in which the peer was verified.
	ServerName  string    `json:"server_name"`
	ClientCert  bool      `json:"client_cert"` // Whether we have a client certificate to show.
	// Of that certificate: SHA-256 in hex, and its end; empty and zero without one.
	ClientFingerprint string    `json:"client_fingerprint,omitempty"`
	ClientNotAfter    time.Time `json:"client_not_after,omitzero"`
	// Weak marks what only tls.legacy allows; WeakReason says what is weak about it.
	Weak       bool   `json:"weak"`
	WeakReason string `json:"weak_reason,omitempty"`
}

// postQuantum lists the hybrid groups that Go speaks (crypto/tls, CurveID).
var postQuantum = map[tls.CurveID]bool{
	tls.X25519MLKEM768:     true,
	tls.SecP256r1MLKEM768:  true,
	tls.SecP384r1MLKEM1024: true,
}

// evidence takes the name that was verified from the caller: cs.ServerName is empty when it is an address.
func (c *Client) evidence(peer, name string, own *x509.Certificate, cs tls.ConnectionState) Evidence {
	leaf := cs.PeerCertificates[0]
	e := Evidence{
		Leg: c.leg, Peer: peer, At: time.Now().UTC(),
		Version:     tls.VersionName(cs.Version),
		Cipher:      tls.CipherSuiteName(cs.CipherSuite),
		PostQuantum: postQuantum[cs.CurveID],
		Subject:     leaf.Subject.CommonName,
		Issuer:      leaf.Issuer.CommonName,
		NotBefore:   leaf.NotBefore,
		NotAfter:    leaf.NotAfter,
		Verified:    c.cfg.mode(),
		ServerName:  name,
		ClientCert:  c.cfg.Cert != "",
	}
	if own != nil {
		sum := sha256.Sum256(own.Raw)
		e.ClientFingerprint, e.ClientNotAfter = hex.EncodeToString(sum[:]), own.NotAfter
	}
	e.WeakReason = weakness(cs)
	e.Weak = e.WeakReason != ""
	if cs.CurveID != 0 {
		e.Curve = cs.CurveID.String()
	}
	fingerprint, spki := sha256.Sum256(leaf.Raw), spkiHash(leaf)
	e.Fingerprint, e.SPKI = hex.EncodeToString(fingerprint[:]), hex.EncodeToString(spki[:])
	return e
}

// SameAs reports whether a server's Ssl_version and Ssl_cipher can be of this connection: something that ends TLS in between
// has another connection to the server, most often with another of the two. Servers name ciphers as OpenSSL does.
func (e Evidence) SameAs(version, cipher string) bool {
	v := strings.Replace(version, "TLSv", "TLS ", 1)
	if v == "TLS 1" { // OpenSSL's name of it.
		v = "TLS 1.0"
	}
	return v == e.Version && (cipher == e.Cipher || cipher == opensslName(e.Cipher))
}

// opensslName turns TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 into ECDHE-RSA-AES128-GCM-SHA256, and TLS_RSA_WITH_AES_256_CBC_SHA
// into AES256-SHA (openssl-ciphers(1), "CIPHER SUITE NAMES").
func opensslName(iana string) string {
	name := strings.TrimPrefix(iana, "TLS_")
	name = strings.TrimPrefix(name, "RSA_WITH_")
	for _, r := range [][2]string{{"_WITH_", "-"}, {"AES_128", "AES128"}, {"AES_256", "AES256"}, {"_CBC_", "-"}, {"CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"}, {"_", "-"}} {
		name = strings.ReplaceAll(name, r[0], r[1])
	}
	return name
}

func spkiHash(cert *x509.Certificate) [sha256.Size]byte {
	return sha256.Sum256(cert.RawSubjectPublicKeyInfo)
}
