package config

import "time"

// TLS are the tls-* directives. Files are relative to the working directory.
type TLS struct {
	Port                 int // 0 = none
	Cluster, Replication bool
	AuthClients          string // yes, no, optional

	CertFile, KeyFile, KeyPass                   string
	ClientCertFile, ClientKeyFile, ClientKeyPass string // to dial with; empty: as above
	CAFile, CADir                                string
	DHParamsFile                                 string

	Protocols, Ciphers, CipherSuites string
	PreferServerCiphers              bool
	SessionCaching                   bool
	SessionCacheSize                 int
	SessionTimeout                   time.Duration
}

// Needed reports whether anything uses TLS.
func (t *TLS) Needed() bool { return t.Port != 0 || t.Cluster || t.Replication }

func defaultTLS() TLS {
	return TLS{AuthClients: "yes", SessionCaching: true, SessionCacheSize: 20 * 1024, SessionTimeout: 300 * time.Second}
}

// TLSDirectives are the names of the rows.
func TLSDirectives() []string {
	var names []string
	for _, d := range tlsRows() {
		names = append(names, d.name)
	}
	return names
}

func tlsRows() []directive {
	word := func(at func(*TLS) *string) value {
		return text(func(c *Config) *string { return at(&c.TLS) }, nil)
	}
	// What a file holds may have changed when its name is set again.
	file := func(at func(*TLS) *string) value {
		v := word(at)
		v.volatile = true
		return v
	}
	return []directive{
		{"tls-port", nil, live, integer(func(c *Config) *int { return &c.TLS.Port }, 0, 65535),
			"TCP port for clients that speak TLS, beside port; 0 is none."},
		{"tls-cert-file", nil, live, file(func(t *TLS) *string { return &t.CertFile }),
			"Certificate of this server, in PEM, with the chain behind it. Setting it again, or one of the other files, has them read again; connections that stand go on."},
		{"tls-key-file", nil, live, file(func(t *TLS) *string { return &t.KeyFile }),
			"Private key of the certificate, in PEM."},
		{"tls-key-file-pass", nil, live, word(func(t *TLS) *string { return &t.KeyPass }),
			"Password of an encrypted private key."},
		{"tls-client-cert-file", nil, live, file(func(t *TLS) *string { return &t.ClientCertFile }),
			"Certificate with which this node calls others; empty is tls-cert-file."},
		{"tls-client-key-file", nil, live, file(func(t *TLS) *string { return &t.ClientKeyFile }),
			"Private key of tls-client-cert-file."},
		{"tls-client-key-file-pass", nil, live, word(func(t *TLS) *string { return &t.ClientKeyPass }),
			"Password of tls-client-key-file."},
		{"tls-dh-params-file", nil, live, file(func(t *TLS) *string { return &t.DHParamsFile }),
			"Accepted and not used: key exchange is by elliptic curves."},
		{"tls-ca-cert-file", nil, live, file(func(t *TLS) *string { return &t.CAFile }),
			"Authorities, in PEM, whose certificates are believed."},
		{"tls-ca-cert-dir", nil, live, file(func(t *TLS) *string { return &t.CADir }),
			"Directory of further ones: every file with certificates in PEM counts, whatever its name."},
		{"tls-auth-clients", nil, live, enum(func(c *Config) *string { return &c.TLS.AuthClients }, "no", "yes", "optional"),
			"Whether clients must show a certificate of one of the authorities; `optional` checks those that are shown."},
		{"tls-replication", nil, live, boolean(func(c *Config) *bool { return &c.TLS.Replication }),
			"Copy data from the primary over TLS."},
		{"tls-cluster", nil, live, boolean(func(c *Config) *bool { return &c.TLS.Cluster }),
			"Speak TLS on the cluster bus, with certificates checked at both ends. The same on all nodes. The bus port is then tls-port + 10000 unless cluster-port says otherwise."},
		{"tls-protocols", nil, live, word(func(t *TLS) *string { return &t.Protocols }),
			"Protocols in use, in one quoted word: `TLSv1`, `TLSv1.1`, `TLSv1.2`, `TLSv1.3`, without a gap. Empty is `TLSv1.2 TLSv1.3`."},
		{"tls-ciphers", nil, live, word(func(t *TLS) *string { return &t.Ciphers }),
			"Cipher suites up to TLS 1.2: names of OpenSSL or of the standard, `DEFAULT`, and what is taken away with `!` or `-`, separated by colons. The server orders them by itself."},
		{"tls-ciphersuites", nil, live, word(func(t *TLS) *string { return &t.CipherSuites }),
			"Cipher suites of TLS 1.3. All there are are offered: a list that leaves one out is refused."},
		{"tls-prefer-server-ciphers", nil, live, boolean(func(c *Config) *bool { return &c.TLS.PreferServerCiphers }),
			"Accepted and not used: the server's order always counts."},
		{"tls-session-caching", nil, live, boolean(func(c *Config) *bool { return &c.TLS.SessionCaching }),
			"Let clients resume sessions; they keep them themselves, as tickets."},
		{"tls-session-cache-size", nil, live, integer(func(c *Config) *int { return &c.TLS.SessionCacheSize }, 0, maxInt),
			"Accepted and not used: the server keeps no sessions."},
		{"tls-session-cache-timeout", nil, live, duration(func(c *Config) *time.Duration { return &c.TLS.SessionTimeout }, time.Second, 0, maxInt),
			"Age up to which a session can be resumed; 0 is as long as its ticket's key is kept, which is some days."},
	}
}
