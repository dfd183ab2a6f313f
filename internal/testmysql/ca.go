package testmysql

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CA is a certificate authority for tests, with a key that exists only in memory: ECDSA P-256, or RSA for servers that
// know nothing else. What it issues has a key of the same kind.
// It is safe for concurrent use.
type CA struct {
	Name string
	Cert *x509.Certificate
	PEM  []byte // The certificate, as a CA file holds it.

	key crypto.Signer
}

// IssueOptions say what a certificate is for. The zero value is a server certificate for localhost and 127.0.0.1,
// valid from an hour ago for a day.
type IssueOptions struct {
	CommonName string   // Default "binseal test".
	Hosts      []string // DNS names. Hosts and IPs both nil: localhost and 127.0.0.1.
	IPs        []net.IP
	NoSAN      bool // No names at all, as in the certificates that mysqld writes by itself.
	NotBefore  time.Time
	NotAfter   time.Time
	Client     bool // A client's certificate, without names.
	SHA1       bool // Signed with SHA-1, as none has been for years. Of an RSA authority only.
}

// Certificate is an issued certificate with its key.
type Certificate struct {
	CertPEM, KeyPEM []byte
	TLS             tls.Certificate // The same, ready for a tls.Config.
}

// NewCA makes an authority that is valid from a day ago for ten years.
func NewCA(name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of CA %s: %w", name, err)
	}
	return newCA(name, key)
}

// rsaBits is what the TLS library of MySQL 5.6 takes and today's clients still do.
const rsaBits = 2048

// NewRSACA is NewCA with an RSA key, for servers of LegacyTLS.
func NewRSACA(name string) (*CA, error) {
	key, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return nil, fmt.Errorf("key of CA %s: %w", name, err)
	}
	return newCA(name, key)
}

func newCA(name string, key crypto.Signer) (*CA, error) {
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate of CA %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate of CA %s: %w", name, err)
	}
	return &CA{Name: name, Cert: cert, PEM: encode("CERTIFICATE", der), key: key}, nil
}

// Issue signs a certificate with a key of its own.
func (ca *CA) Issue(o IssueOptions) (*Certificate, error) {
	key, keyPEM, err := ca.newKey()
	if err != nil {
		return nil, fmt.Errorf("key of a certificate of %s: %w", ca.Name, err)
	}
	template := o.template()
	if _, old := ca.key.(*rsa.PrivateKey); old {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment // The client encrypts its secret with it.
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Cert, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", ca.Name, err)
	}
	c := &Certificate{CertPEM: encode("CERTIFICATE", der), KeyPEM: keyPEM}
	if c.TLS, err = tls.X509KeyPair(c.CertPEM, c.KeyPEM); err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", ca.Name, err)
	}
	return c, nil
}

// newKey makes a key of the authority's own kind, and its PEM file's text.
func (ca *CA) newKey() (crypto.Signer, []byte, error) {
	if _, old := ca.key.(*rsa.PrivateKey); old {
		key, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return nil, nil, err
		}
		// yaSSL reads no PKCS #8.
		return key, encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return key, encode("PRIVATE KEY", der), err
}

func (o IssueOptions) template() *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: o.CommonName},
		NotBefore:    o.NotBefore,
		NotAfter:     o.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     o.Hosts,
		IPAddresses:  o.IPs,
	}
	if o.CommonName == "" {
		t.Subject.CommonName = "binseal test"
	}
	if o.NotBefore.IsZero() {
		t.NotBefore = time.Now().Add(-time.Hour)
	}
	if o.NotAfter.IsZero() {
		t.NotAfter = time.Now().Add(60 * 24 * time.Hour) // Far enough that nobody is warned of its end.
	}
	if o.SHA1 {
		t.SignatureAlgorithm = x509.SHA1WithRSA
	}
	if o.Client {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	} else if !o.NoSAN && o.Hosts == nil && o.IPs == nil {
		t.DNSNames, t.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	return t
}

// Write stores the certificate as dir/name-cert.pem and dir/name-key.pem and returns both paths. The key's file
// is readable by its owner only.
func (c *Certificate) Write(dir, name string) (cert, key string, err error) {
	cert, key = filepath.Join(dir, name+"-cert.pem"), filepath.Join(dir, name+"-key.pem")
	if err := os.WriteFile(cert, c.CertPEM, 0o644); err != nil {
		return "", "", err
	}
	return cert, key, os.WriteFile(key, c.KeyPEM, 0o600)
}

// Write stores the authority's certificate as dir/ca.pem.
func (ca *CA) Write(dir string) (path string, err error) {
	path = filepath.Join(dir, "ca.pem")
	return path, os.WriteFile(path, ca.PEM, 0o644)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// serial is random: two certificates of one issuer with one serial number are refused by some libraries.
func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail.
	}
	return n
}
