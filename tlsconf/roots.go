package tlsconf

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// awsRDSRoots are the root certificates of Amazon RDS and Aurora in the commercial regions, from the global bundle.
//
//go:embed aws-rds-roots.pem
var awsRDSRoots []byte

// loadCA reads the trust anchors named by tls.ca. A file is read anew at each call, so that a rotated bundle is
// used at the next dial without a restart.
func loadCA(ca string) (*x509.CertPool, error) {
	switch ca {
	case CASystem:
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("tls.ca: system roots: %w", err)
		}
		return pool, nil
	case CAAWSRDS:
		return parseCA("the embedded aws-rds roots", awsRDSRoots)
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("tls.ca: %w", err)
	}
	return parseCA(ca, text)
}

// parseCA takes every certificate of a PEM text. It is strict: a bundle with one unreadable certificate is refused,
// since the missing one would show only as an unknown CA on the day it is needed.
func parseCA(name string, text []byte) (*x509.CertPool, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("tls.ca: %s: the file is empty", name)
	}
	pool, n := x509.NewCertPool(), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %s: certificate %d: %w", name, n, err)
		}
		pool.AddCert(cert)
	}
	if n == 0 {
		return nil, fmt.Errorf("tls.ca: %s: %w", name, errors.New("no PEM certificate in the file"))
	}
	if begun := bytes.Count(text, []byte("-----BEGIN CERTIFICATE-----")); begun != n {
		return nil, fmt.Errorf("tls.ca: %s: %d of %d certificates are not valid PEM", name, begun-n, begun)
	}
	return pool, nil
}
