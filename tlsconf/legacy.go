package tlsconf

import (
	"crypto/tls"
	"slices"
)

// oldSuites are the suites of TLS 1.0 servers such as MySQL 5.6 with yaSSL that are not broken outright: key exchange
// by RSA, AES in CBC mode. Go offers none of them unless they are named.
var oldSuites = []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA}

// legacySuites are today's suites, and the old ones behind them: a server that can do better is not pulled down.
func legacySuites() []uint16 {
	var ids []uint16
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, oldSuites...)
}

// weakness says what is weak about a handshake that only Legacy allows; "" for any other.
func weakness(cs tls.ConnectionState) string {
	rsa := slices.Contains(oldSuites, cs.CipherSuite)
	switch {
	case cs.Version < tls.VersionTLS12 && rsa:
		return tls.VersionName(cs.Version) + " with key exchange by RSA: no forward secrecy, no modern integrity"
	case cs.Version < tls.VersionTLS12:
		return tls.VersionName(cs.Version) + ": no modern integrity"
	case rsa:
		return "key exchange by RSA: no forward secrecy"
	}
	return ""
}
