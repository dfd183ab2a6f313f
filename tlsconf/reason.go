package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"
)

// The reasons that Reason gives, in the words of an operator.
const (
	ReasonNoTLS        = "server offers no TLS"
	ReasonNotTLS       = "server does not answer with TLS"
	ReasonUnknownCA    = "certificate signed by an unknown CA"
	ReasonOtherHost    = "certificate is for another host"
	ReasonNoHost       = "certificate names no host"
	ReasonExpired      = "certificate expired"
	ReasonNotYetValid  = "certificate not yet valid"
	ReasonWrongUsage   = "certificate is not for a server"
	ReasonBadChain     = "certificate chain not valid"
	ReasonSHA1         = "SHA-1 signature"
	ReasonOldVersion   = "server's TLS version too old"
	ReasonNoCommon     = "no TLS cipher or key exchange in common"
	ReasonPin          = "pin mismatch"
	ReasonClientCert   = "client certificate refused"
	ReasonNoSystemRoot = "no system roots found"
	ReasonHandshake    = "TLS handshake broken"
)

// Reason says why a TLS handshake was refused, in one of the Reason texts; ok is false for an error that is not
// about TLS. It looks at typed errors of crypto/tls and crypto/x509 through any wrapping, and, since some drivers
// flatten an error to its text, at Go's own wording. It never gives back a part of the error's text.
func Reason(err error) (reason string, ok bool) {
	if err == nil {
		return "", false
	}
	if reason = typedReason(err); reason == "" {
		reason = textReason(err.Error())
	}
	return reason, reason != ""
}

func typedReason(err error) string {
	if _, ok := errors.AsType[*PinError](err); ok {
		return ReasonPin
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return hostReason(e.Certificate)
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return invalidReason(e)
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		// Go tries each candidate CA and keeps the last complaint as a hint, in its text only.
		if strings.Contains(e.Error(), "insecure algorithm SHA1") {
			return ReasonSHA1
		}
		return ReasonUnknownCA
	}
	if _, ok := errors.AsType[x509.InsecureAlgorithmError](err); ok {
		return ReasonSHA1
	}
	if _, ok := errors.AsType[x509.SystemRootsError](err); ok {
		return ReasonNoSystemRoot
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return ReasonNotTLS
	}
	return ""
}

func hostReason(cert *x509.Certificate) string {
	if cert != nil && len(cert.DNSNames)+len(cert.IPAddresses)+len(cert.URIs)+len(cert.EmailAddresses) == 0 {
		return ReasonNoHost
	}
	return ReasonOtherHost
}

func invalidReason(e x509.CertificateInvalidError) string {
	switch e.Reason {
	case x509.Expired: // Go uses it for both ends of the validity.
		if e.Cert != nil && time.Now().Before(e.Cert.NotBefore) {
			return ReasonNotYetValid
		}
		return ReasonExpired
	case x509.IncompatibleUsage:
		return ReasonWrongUsage
	default:
		return ReasonBadChain
	}
}

// reasonTexts maps Go's wording, and the two drivers' own for a server without TLS, to reasons. The first match
// counts: "insecure algorithm" comes as a hint within "unknown authority".
var reasonTexts = []struct{ contains, reason string }{
	{"server does not support TLS", ReasonNoTLS},                        // go-sql-driver
	{"Server does not support TLS required by the client", ReasonNoTLS}, // go-mysql
	{"no pin matches the server's public key", ReasonPin},
	{"insecure algorithm SHA1", ReasonSHA1},
	{"certificate signed by unknown authority", ReasonUnknownCA},
	{"certificate relies on legacy Common Name", ReasonNoHost},
	{"x509: certificate is valid for", ReasonOtherHost},
	{"x509: certificate is not valid for any names", ReasonOtherHost},
	{"doesn't contain any IP SANs", ReasonOtherHost},
	{"certificate has expired or is not yet valid: current time", ""}, // Told apart below.
	{"incompatible key usage", ReasonWrongUsage},
	{"server selected unsupported protocol version", ReasonOldVersion},
	{"tls: protocol version not supported", ReasonOldVersion},
	{"server chose an unconfigured cipher suite", ReasonNoCommon},
	{"remote error: tls: handshake failure", ReasonNoCommon},
	{"remote error: tls: insufficient security level", ReasonNoCommon},
	{"first record does not look like a TLS handshake", ReasonNotTLS},
	{"remote error: tls: certificate required", ReasonClientCert},
	{"remote error: tls: bad certificate", ReasonClientCert},
	{"remote error: tls: unsupported certificate", ReasonClientCert},
	{"remote error: tls: revoked certificate", ReasonClientCert},
	{"remote error: tls: expired certificate", ReasonClientCert},
	{"remote error: tls: unknown certificate", ReasonClientCert}, // Also "… unknown certificate authority".
	{"remote error: tls: access denied", ReasonClientCert},
	{"failed to load system roots", ReasonNoSystemRoot},
	{"x509: ", ReasonBadChain},
	{"tls: failed to verify certificate", ReasonBadChain},
	// What else a server may object to. Alerts without a cause in the configuration, such as "internal error" or
	// "bad record MAC", are left out: they are a broken connection, worth another try.
	{"remote error: tls: illegal parameter", ReasonHandshake},
	{"remote error: tls: unrecognized name", ReasonHandshake},
	{"remote error: tls: missing extension", ReasonHandshake},
	{"remote error: tls: decode error", ReasonHandshake},
	{"tls: server sent", ReasonHandshake},
	{"tls: server's", ReasonHandshake},
	{"tls: server did not", ReasonHandshake},
}

func textReason(text string) string {
	for _, t := range reasonTexts {
		if !strings.Contains(text, t.contains) {
			continue
		}
		if t.reason == "" {
			if strings.Contains(text, " is before ") {
				return ReasonNotYetValid
			}
			return ReasonExpired
		}
		return t.reason
	}
	return ""
}
