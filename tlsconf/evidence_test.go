package tlsconf

import "testing"

func TestSameAs(t *testing.T) {
	for _, c := range []struct {
		version, cipher, sslVersion, sslCipher string
		want                                   bool
	}{
		{"TLS 1.3", "TLS_AES_128_GCM_SHA256", "TLSv1.3", "TLS_AES_128_GCM_SHA256", true},
		{"TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", true},
		{"TLS 1.2", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", true},
		{"TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLSv1.2", "ECDHE-RSA-AES256-SHA", true},
		{"TLS 1.0", "TLS_RSA_WITH_AES_256_CBC_SHA", "TLSv1", "AES256-SHA", true},
		{"TLS 1.3", "TLS_AES_128_GCM_SHA256", "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", false},
		{"TLS 1.3", "TLS_AES_128_GCM_SHA256", "TLSv1.3", "TLS_AES_256_GCM_SHA384", false},
		{"TLS 1.3", "TLS_AES_128_GCM_SHA256", "", "", false},
	} {
		if got := (Evidence{Version: c.version, Cipher: c.cipher}).SameAs(c.sslVersion, c.sslCipher); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}
