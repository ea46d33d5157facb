package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"conclave/cmd/internal/config"
)

// Setup is what TLS needs at one time. It is never changed.
type Setup struct {
	Clients *tls.Config // of the port for clients
	Bus     *tls.Config // of the bus, to accept peers: they need certificates
	Peers   *tls.Config // of the bus, to dial
}

// New reads the files.
func New(c *config.TLS) (*Setup, error) {
	if c.CertFile == "" {
		return nil, errors.New("No tls-cert-file configured!")
	}
	if c.KeyFile == "" {
		return nil, errors.New("No tls-key-file configured!")
	}
	if c.CAFile == "" && c.CADir == "" && (c.AuthClients != "no" || c.Cluster || c.Replication) {
		return nil, errors.New("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!")
	}
	own, err := pair(c.CertFile, c.KeyFile, c.KeyPass)
	if err != nil {
		return nil, err
	}
	calls := own
	if c.ClientCertFile != "" {
		if calls, err = pair(c.ClientCertFile, c.ClientKeyFile, c.ClientKeyPass); err != nil {
			return nil, err
		}
	}
	roots, err := authorities(c.CAFile, c.CADir)
	if err != nil {
		return nil, err
	}
	base := &tls.Config{}
	if base.MinVersion, base.MaxVersion, err = protocols(c.Protocols); err != nil {
		return nil, err
	}
	if base.CipherSuites, err = ciphers(c.Ciphers); err != nil {
		return nil, err
	}
	if err := suitesOf13(c.CipherSuites); err != nil {
		return nil, err
	}
	s := &Setup{Clients: base.Clone(), Bus: base.Clone(), Peers: base}
	for _, listens := range []*tls.Config{s.Clients, s.Bus} {
		listens.Certificates, listens.ClientCAs = []tls.Certificate{own}, roots
		listens.ClientAuth = tls.RequireAndVerifyClientCert
	}
	switch c.AuthClients {
	case "no":
		s.Clients.ClientAuth = tls.NoClientCert
	case "optional":
		s.Clients.ClientAuth = tls.VerifyClientCertIfGiven
	}
	s.Clients.SessionTicketsDisabled = !c.SessionCaching
	if c.SessionTimeout > 0 {
		expireTickets(s.Clients, c.SessionTimeout)
	}
	s.Bus.SessionTicketsDisabled = true // peers keep none
	s.Peers.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		// Ours whatever authorities the listener names: it says why it minds.
		return &calls, nil
	}
	// Peers are known by their authority, not by names: they are dialed by
	// address, and the handshake of the bus says who they are.
	s.Peers.InsecureSkipVerify = true
	s.Peers.VerifyConnection = func(cs tls.ConnectionState) error { return verify(cs, roots) }
	return s, nil
}

// verify checks a listener's certificate, but for its name.
func verify(cs tls.ConnectionState, roots *x509.CertPool) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the peer has no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

// pair reads a certificate, with the chain behind it, and its key.
func pair(certFile, keyFile, pass string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("Failed to load certificate: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("Failed to load private key: %w", err)
	}
	key, err = decryptKey(key, []byte(pass))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("Failed to load private key: %s: %w", keyFile, err)
	}
	p, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("Failed to load certificate: %s: %w", certFile, err)
	}
	return p, nil
}

// authorities are those of a file and of every file of a directory; nil if
// neither is given.
func authorities(file, dir string) (*x509.CertPool, error) {
	if file == "" && dir == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("Failed to configure CA certificate(s) file: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("Failed to configure CA certificate(s) file: %s has no certificate", file)
		}
	}
	if dir == "" {
		return pool, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("Failed to configure CA certificate(s) directory: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		const most = 1 << 20
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > most {
			continue // a directory of certificates may hold other things
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("Failed to configure CA certificate(s) directory: %w", err)
		}
		pool.AppendCertsFromPEM(pem)
	}
	return pool, nil
}

// expireTickets makes tickets good for so long. A ticket carries the second
// at which its session began.
func expireTickets(c *tls.Config, life time.Duration) {
	const mark = "conclave session began "
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		if _, ok := began(ss, mark); !ok {
			ss.Extra = append(ss.Extra, binary.BigEndian.AppendUint64([]byte(mark), uint64(time.Now().Unix())))
		}
		return c.EncryptTicket(cs, ss)
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := c.DecryptTicket(ticket, cs)
		if err != nil || ss == nil {
			return nil, err
		}
		if at, ok := began(ss, mark); !ok || time.Since(time.Unix(at, 0)) > life {
			return nil, nil // a full handshake
		}
		return ss, nil
	}
}

func began(ss *tls.SessionState, mark string) (int64, bool) {
	for _, e := range ss.Extra {
		if len(e) == len(mark)+8 && string(e[:len(mark)]) == mark {
			return int64(binary.BigEndian.Uint64(e[len(mark):])), true
		}
	}
	return 0, false
}
