package tlsconf

import (
	"crypto/tls"
	"slices"
	"testing"
)

func TestProtocols(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		words  string
		lo, hi uint16 // 0: refused
	}{
		{"", tls.VersionTLS12, tls.VersionTLS13},
		{"TLSv1.2", tls.VersionTLS12, tls.VersionTLS12},
		{"tlsv1.3 TLSv1.2", tls.VersionTLS12, tls.VersionTLS13},
		{"TLSv1 TLSv1.1", tls.VersionTLS10, tls.VersionTLS11},
		{"TLSv1.1 TLSv1.3", 0, 0},
		{"SSLv3", 0, 0},
		{" ", 0, 0},
	} {
		lo, hi, err := protocols(x.words)
		if (err != nil) != (x.lo == 0) || lo != x.lo || hi != x.hi {
			t.Errorf("%q: %x..%x, %v", x.words, lo, hi, err)
		}
	}
}

func TestCiphers(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		list string
		want []uint16 // nil: refused
	}{
		{"ECDHE-RSA-AES128-GCM-SHA256", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		{"AES128-SHA:ECDHE-ECDSA-CHACHA20-POLY1305:!aNULL", []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}},
		{"AES128-SHA:AES256-SHA:-AES128-SHA", []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}},
		{"NONE-OF-THESE", nil},
		{"DEFAULT:!ALL", nil},
	} {
		if got, err := ciphers(x.list); (err != nil) != (x.want == nil) || !slices.Equal(got, x.want) {
			t.Errorf("%s: %x, %v", x.list, got, err)
		}
	}
	if err := suitesOf13("TLS_AES_256_GCM_SHA384"); err == nil {
		t.Error("a list of one suite of TLS 1.3 was accepted")
	}
	if err := suitesOf13("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"); err != nil {
		t.Error(err)
	}
}
