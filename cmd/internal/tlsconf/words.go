package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// protocols reads tls-protocols. crypto/tls takes a range, so there can be no
// gap.
func protocols(words string) (lowest, highest uint16, err error) {
	if words == "" {
		return tls.VersionTLS12, tls.VersionTLS13, nil
	}
	var named [4]bool
	for w := range strings.FieldsSeq(words) {
		i := slices.Index([]string{"tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"}, strings.ToLower(w))
		if i < 0 {
			return 0, 0, errors.New("Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.")
		}
		named[i] = true
	}
	first := slices.Index(named[:], true)
	if first < 0 {
		return 0, 0, errors.New("tls-protocols names no protocol")
	}
	last := len(named) - 1
	for !named[last] {
		last--
	}
	if slices.Contains(named[first:last], false) {
		return 0, 0, fmt.Errorf("tls-protocols %q leaves one out between two that it names, which isn't possible", words)
	}
	return tls.VersionTLS10 + uint16(first), tls.VersionTLS10 + uint16(last), nil
}

// ciphers reads tls-ciphers, an OpenSSL cipher list, as far as it can be
// followed: single suites, which may be added or taken away, and DEFAULT, HIGH
// and ALL, which all mean what crypto/tls offers by itself. Taking a class away
// (!aNULL, !MD5) is followed by not having it. Nil is the default.
func ciphers(list string) ([]uint16, error) {
	if list == "" {
		return nil, nil
	}
	var ids []uint16
	for w := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		name := strings.TrimLeft(w, "!-+")
		id, known := suite(name)
		switch {
		case w[0] == '!' || w[0] == '-':
			ids = slices.DeleteFunc(ids, func(x uint16) bool { return known && x == id })
			if !known && slices.Contains([]string{"ALL", "DEFAULT", "HIGH"}, name) {
				ids = nil
			}
		case strings.HasPrefix(w, "@"): // orders and levels of security
		case known:
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		case name == "DEFAULT" || name == "HIGH" || name == "ALL":
			for _, s := range tls.CipherSuites() {
				if !slices.Contains(ids, s.ID) && s.SupportedVersions[0] < tls.VersionTLS13 {
					ids = append(ids, s.ID)
				}
			}
		default:
			return nil, fmt.Errorf("Failed to configure ciphers: %q is no cipher suite of crypto/tls", w)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("Failed to configure ciphers: %q leaves none", list)
	}
	return ids, nil
}

// suite looks a suite up by the name of the standard or of OpenSSL.
func suite(name string) (uint16, bool) {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if s.SupportedVersions[0] < tls.VersionTLS13 && (s.Name == name || opensslName(s.Name) == name) {
			return s.ID, true
		}
	}
	return 0, false
}

// opensslName is what OpenSSL calls a suite of TLS 1.2 and before.
func opensslName(standard string) string {
	exchange, cipher, _ := strings.Cut(strings.TrimPrefix(standard, "TLS_"), "_WITH_")
	switch cipher {
	case "CHACHA20_POLY1305_SHA256":
		cipher = "CHACHA20-POLY1305"
	case "3DES_EDE_CBC_SHA":
		cipher = "DES-CBC3-SHA"
	default:
		cipher = strings.NewReplacer("AES_", "AES", "_CBC", "", "RC4_128", "RC4").Replace(cipher)
	}
	cipher = strings.ReplaceAll(cipher, "_", "-")
	if exchange == "RSA" {
		return cipher
	}
	return strings.ReplaceAll(exchange, "_", "-") + "-" + cipher
}

// suitesOf13 reads tls-ciphersuites. crypto/tls offers all there are, always:
// a list that leaves one out is refused rather than not followed.
func suitesOf13(list string) error {
	if list == "" {
		return nil
	}
	left := []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
	for w := range strings.SplitSeq(list, ":") {
		i := slices.Index(left, w)
		if i < 0 {
			return fmt.Errorf("Failed to configure ciphersuites: %q is not offered, or named twice", w)
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		return fmt.Errorf("Failed to configure ciphersuites: the suites of TLS 1.3 can't be chosen, and %q leaves out %s", list, strings.Join(left, " and "))
	}
	return nil
}
