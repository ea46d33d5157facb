package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// authority makes certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir, name: name}
	a.key = a.newKey()
	a.cert = a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: time.Now().Add(time.Hour)}, a.key, name)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// sign makes a certificate and writes it to a file of that name.
func (a *authority) sign(c *x509.Certificate, key *ecdsa.PrivateKey, file string) *x509.Certificate {
	a.t.Helper()
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: file}
	c.NotBefore = time.Now().Add(-2 * time.Hour)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(file+".crt", "CERTIFICATE", der)
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made
}

func (a *authority) write(file, kind string, der []byte) {
	a.t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(filepath.Join(a.dir, file), text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue makes a certificate that is good until then, and its key.
func (a *authority) issue(file string, until time.Time) tls.Certificate {
	a.t.Helper()
	key := a.newKey()
	c := a.sign(&x509.Certificate{NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}, key, file)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(file+".key", "PRIVATE KEY", der)
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

// client is a configuration that believes the authority and shows certificates.
func (a *authority) client(own ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", Certificates: own}
}

// files are the directives that name the authority's server certificate.
func (a *authority) files() []string {
	at := func(name string) string { return filepath.Join(a.dir, name) }
	return []string{"--tls-cert-file", at("server.crt"), "--tls-key-file", at("server.key"), "--tls-ca-cert-file", at(a.name + ".crt")}
}

// ask sends a line over TLS and returns the first line of the answer.
func ask(nc net.Conn, line string) (string, error) {
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(nc, line+"\r\n"); err != nil {
		return "", err
	}
	text, err := bufio.NewReader(nc).ReadString('\n')
	return strings.TrimSpace(text), err
}

func pings(t *testing.T, nc net.Conn) {
	t.Helper()
	if got, err := ask(nc, "PING"); got != "+PONG" || err != nil {
		t.Errorf("PING: %q, %v", got, err)
	}
}

// refusal is the error with which a command is answered.
func (p *running) refusal(args ...string) string {
	p.t.Helper()
	r, err := p.c.Do(args...)
	if err != nil {
		p.t.Fatal(err)
	}
	if r.Err() == nil {
		p.t.Errorf("%q was not refused", args)
		return ""
	}
	return r.Err().Error()
}

func dialTLS(t *testing.T, port string, c *tls.Config) *tls.Conn {
	t.Helper()
	nc, err := tls.Dial("tcp", "127.0.0.1:"+port, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// tlsServer starts a server with both ports.
func tlsServer(t *testing.T, a *authority, more ...string) (p *running, port string) {
	t.Helper()
	plain := freePort(t)
	port = freePort(t)
	args := append([]string{"--port", plain, "--tls-port", port, "--bind", "127.0.0.1", "--save", ""}, a.files()...)
	return launch(t, process(t, append(args, more...)...), plain), port
}

func TestWhoMayConnectOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ours, theirs := newAuthority(t, dir, "ca"), newAuthority(t, dir, "other")
	soon := time.Now().Add(time.Hour)
	ours.issue("server", soon)
	good, expired, foreign := ours.issue("client", soon), ours.issue("old", time.Now().Add(-time.Hour)), theirs.issue("foreign", soon)
	p, port := tlsServer(t, ours)
	other := dialTLS(t, port, ours.client(good))
	pings(t, other)
	for name, c := range map[string]*tls.Config{
		"no certificate":                 ours.client(),
		"an expired certificate":         ours.client(expired),
		"one of another authority":       ours.client(foreign),
		"TLS 1.2, and no certificate":    {RootCAs: ours.client().RootCAs, ServerName: "127.0.0.1", MaxVersion: tls.VersionTLS12},
		"nothing after TLS 1.1":          {RootCAs: ours.client().RootCAs, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"no belief in our authority":     theirs.client(good),
		"a name that the server has not": {RootCAs: ours.client().RootCAs, ServerName: "example.com", Certificates: []tls.Certificate{good}},
	} {
		nc, err := tls.Dial("tcp", "127.0.0.1:"+port, c)
		if err == nil { // TLS 1.3 tells a client of its certificate with the first answer
			var got string
			if got, err = ask(nc, "PING"); err == nil {
				t.Errorf("a client with %s was answered %q", name, got)
			}
			_ = nc.Close()
		}
	}
	// Plain text is no handshake.
	nc, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(nc, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(nc); strings.Contains(string(rest), "PONG") || err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("plain text: %q, %v", rest, err)
	}
	pings(t, other)
	p.do("PING") // the other port

	// Without certificates, if they aren't asked for.
	for _, mode := range []string{"no", "optional"} {
		p.do("CONFIG", "SET", "tls-auth-clients", mode)
		pings(t, dialTLS(t, port, ours.client()))
	}
	nc, err = tls.Dial("tcp", "127.0.0.1:"+port, ours.client(expired))
	if err == nil {
		if got, err := ask(nc, "PING"); err == nil {
			t.Errorf("optional, with an expired certificate: %q", got)
		}
	}
}

func TestTLSFollowsTheDirectives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newAuthority(t, dir, "ca")
	soon := time.Now().Add(time.Hour)
	first := a.issue("server", soon)
	good := a.issue("client", soon)
	p, port := tlsServer(t, a)
	old := dialTLS(t, port, a.client(good))
	pings(t, old)
	if got := old.ConnectionState().PeerCertificates[0]; !got.Equal(first.Leaf) {
		t.Error("not the server's certificate")
	}

	// The file is read again although its name stays.
	second := a.issue("server", soon)
	p.do("CONFIG", "SET", "tls-cert-file", filepath.Join(dir, "server.crt"), "tls-key-file", filepath.Join(dir, "server.key"))
	if got := dialTLS(t, port, a.client(good)).ConnectionState().PeerCertificates[0]; !got.Equal(second.Leaf) {
		t.Error("the certificate was not read again")
	}
	pings(t, old)

	// What can't be read changes nothing.
	for _, bad := range [][]string{{"tls-cert-file", "/nonexistent"}, {"tls-protocols", "SSLv3"}, {"tls-ciphers", "NONE-OF-THESE"}, {"tls-ca-cert-file", ""}} {
		got := p.refusal("CONFIG", "SET", bad[0], bad[1])
		want := fmt.Sprintf("ERR CONFIG SET failed (possibly related to argument '%s') - Unable to update TLS configuration. Check server logs.", bad[0])
		if got != want {
			t.Errorf("%v: %s", bad, got)
		}
		pings(t, dialTLS(t, port, a.client(good)))
	}
	p.do("CONFIG", "SET", "tls-protocols", "TLSv1.2")
	if got := dialTLS(t, port, a.client(good)).ConnectionState().Version; got != tls.VersionTLS12 {
		t.Errorf("version %x", got)
	}

	// Another port, none, one that is taken.
	moved := freePort(t)
	p.do("CONFIG", "SET", "tls-port", moved)
	pings(t, dialTLS(t, moved, a.client(good)))
	pings(t, old)
	if answers(port) {
		t.Error("the former port is still open")
	}
	if got := p.refusal("CONFIG", "SET", "tls-port", p.port); !strings.Contains(got, "Unable to listen on this port. Check server logs.") {
		t.Errorf("a port that is taken: %s", got)
	}
	pings(t, dialTLS(t, moved, a.client(good)))
	p.do("CONFIG", "SET", "tls-port", "0")
	if answers(moved) {
		t.Error("the port is still open")
	}
	pings(t, old)
}

func TestTLSThatCantBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newAuthority(t, dir, "ca")
	a.issue("server", time.Now().Add(time.Hour))
	for _, args := range [][]string{
		{"--tls-port", "1"},
		append([]string{"--tls-port", "1"}, a.files()[:4]...), // no authority
		append(append([]string{"--tls-port", "1"}, a.files()...), "--tls-key-file", filepath.Join(dir, "ca.crt")),
	} {
		status, stdout, _ := exits(t, process(t, append([]string{"--port", "0"}, args...)...))
		if status != 1 || !strings.Contains(stdout, "Failed to configure TLS. Check logs for more info.") {
			t.Errorf("%v: status %d, %s", args, status, stdout)
		}
	}
}

// A server may have the TLS port alone.
func TestRedisCliOverTLS(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Skip("redis-cli is not installed")
	}
	dir := t.TempDir()
	a := newAuthority(t, dir, "ca")
	soon := time.Now().Add(time.Hour)
	a.issue("server", soon)
	a.issue("client", soon)
	port := freePort(t)
	cmd := process(t, append([]string{"--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--save", ""}, a.files()...)...)
	startServer(t, cmd, port)
	cli := func(args ...string) string {
		t.Helper()
		all := append([]string{"--tls", "-p", port, "--cacert", filepath.Join(dir, "ca.crt"), "--cert", filepath.Join(dir, "client.crt"), "--key", filepath.Join(dir, "client.key")}, args...)
		out, err := exec.Command("redis-cli", all...).CombinedOutput()
		if err != nil {
			t.Errorf("redis-cli %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	value := strings.Repeat("x", 1<<20)
	long := filepath.Join(dir, "value")
	if err := os.WriteFile(long, []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	set := exec.Command("redis-cli", "--tls", "-p", port, "--cacert", filepath.Join(dir, "ca.crt"), "--cert", filepath.Join(dir, "client.crt"), "--key", filepath.Join(dir, "client.key"), "-x", "SET", "k")
	set.Stdin = strings.NewReader(value)
	if out, err := set.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "OK" {
		t.Errorf("SET: %.100s, %v", out, err)
	}
	if got := cli("GET", "k"); got != value {
		t.Errorf("GET: %d bytes", len(got))
	}
	if got := cli("INFO", "server"); !strings.Contains(got, "tcp_port:"+port) {
		t.Errorf("INFO server: %s", got)
	}
	if got := cli("BLPOP", "nothing", "0.1"); got != "" {
		t.Errorf("BLPOP: %q", got)
	}
	if n, err := strconv.Atoi(cli("DBSIZE")); n != 1 || err != nil {
		t.Errorf("DBSIZE: %d, %v", n, err)
	}
}

func TestReplicationOverTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, t.TempDir(), "ca")
	a.issue("server", time.Now().Add(time.Hour))
	primary, port := tlsServer(t, a)
	primary.do("SET", "before", "1")
	replica, _ := tlsServer(t, a, "--tls-replication", "yes", "--replicaof", "127.0.0.1 "+port)
	has := func(key string) func() bool {
		return func() bool {
			r, err := replica.c.Do("GET", key)
			return err == nil && r.Text == "1"
		}
	}
	eventually(t, "what was there before has come", has("before"))
	primary.do("SET", "after", "1")
	eventually(t, "what comes after has come", has("after"))
	if got := replica.do("INFO", "replication").Text; !strings.Contains(got, "master_port:"+port) {
		t.Errorf("not over TLS: %s", got)
	}
}
