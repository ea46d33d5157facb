package peer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// handshakeTimeout bounds a whole handshake.
const handshakeTimeout = 5 * time.Second

// The proofs are keyed hashes of everything said so far under a label of the
// direction, so that neither can be played back as the other.
const (
	labelDialer   = "conclave bus 1 dialer"
	labelListener = "conclave bus 1 listener"
)

func prove(secret []byte, label string, parts ...[]byte) (p [proofSize]byte) {
	m := hmac.New(sha256.New, secret)
	io.WriteString(m, label)
	for _, part := range parts {
		m.Write(part) // every part has a fixed size
	}
	m.Sum(p[:0])
	return p
}

// greet runs the dialer's side. The caller set a deadline on c.
func greet(c net.Conn, kind Kind, self Identity, want Want, secret []byte) (Identity, error) {
	if len(secret) == 0 && !loopback(c.RemoteAddr()) {
		return Identity{}, ErrNoSecret
	}
	h := hello{Kind: kind, From: self, Want: want}
	if len(secret) > 0 {
		h.Flags |= flagAuth
	}
	if _, err := rand.Read(h.Nonce[:]); err != nil {
		return Identity{}, fmt.Errorf("nonce: %w", err)
	}
	rawHello := h.append(make([]byte, 0, helloSize))
	// A listener that refuses at once may close before it read everything:
	// what it said counts more than a failed write.
	_, writeErr := c.Write(rawHello)
	rawChallenge := make([]byte, challengeSize)
	if _, err := io.ReadFull(c, rawChallenge); err != nil {
		return Identity{}, fmt.Errorf("handshake: %w", errors.Join(writeErr, err))
	}
	ch, err := parseChallenge(rawChallenge)
	if err != nil {
		return Identity{}, fmt.Errorf("handshake: %w", err)
	}
	if err := ch.Status.err(); err != nil {
		return Identity{}, &RefusedError{Reason: err}
	}
	if ch.Flags&flagAuth != h.Flags&flagAuth {
		return Identity{}, &RefusedError{Reason: ErrAuth}
	}
	var proof [proofSize]byte
	if len(secret) > 0 {
		proof = prove(secret, labelDialer, rawHello, rawChallenge)
	}
	if _, err := c.Write(proof[:]); err != nil {
		return Identity{}, fmt.Errorf("handshake: %w", err)
	}
	rawVerdict := make([]byte, verdictSize)
	if _, err := io.ReadFull(c, rawVerdict); err != nil {
		return Identity{}, fmt.Errorf("handshake: %w", err)
	}
	v, err := parseVerdict(rawVerdict)
	if err != nil {
		return Identity{}, fmt.Errorf("handshake: %w", err)
	}
	if len(secret) > 0 {
		expect := prove(secret, labelListener, rawHello, rawChallenge, proof[:], rawVerdict[:verdictSize-proofSize])
		if !hmac.Equal(expect[:], v.Proof[:]) {
			return Identity{}, &RefusedError{Reason: ErrAuth}
		}
	}
	v.From.RemoteIP = hostOf(c.RemoteAddr())
	if err := v.Status.err(); err != nil {
		return Identity{}, &RefusedError{Reason: err, Remote: v.From}
	}
	// The listener has checked the wish, and proved itself if it could; a
	// different answer is a fault of its own.
	if err := meets(want, v.From); err != nil {
		return Identity{}, &RefusedError{Reason: err, Remote: v.From}
	}
	return v.From, nil
}

// receive runs the listener's side. It returns the dialer's hello and the
// identity that was told to it; an error was told to the dialer as far as it
// could be.
func receive(c net.Conn, self func() Identity, secret []byte, admit func(Kind, Identity, Want) error) (hello, Identity, error) {
	rawHello := make([]byte, helloSize)
	if _, err := io.ReadFull(c, rawHello); err != nil {
		return hello{}, Identity{}, fmt.Errorf("handshake: %w", err)
	}
	h, err := parseHello(rawHello)
	if err != nil {
		if errors.Is(err, ErrVersion) {
			refuseEarly(c, statusVersion)
		}
		return hello{}, Identity{}, fmt.Errorf("handshake: %w", err)
	}
	h.From.RemoteIP = hostOf(c.RemoteAddr())
	if len(secret) == 0 && !loopback(c.RemoteAddr()) {
		refuseEarly(c, statusNoSecret)
		return hello{}, Identity{}, ErrNoSecret
	}
	ch := challenge{}
	if len(secret) > 0 {
		ch.Flags |= flagAuth
	}
	if _, err := rand.Read(ch.Nonce[:]); err != nil {
		return hello{}, Identity{}, fmt.Errorf("nonce: %w", err)
	}
	rawChallenge := ch.append(make([]byte, 0, challengeSize))
	if _, err := c.Write(rawChallenge); err != nil {
		return hello{}, Identity{}, fmt.Errorf("handshake: %w", err)
	}
	var proof [proofSize]byte
	if _, err := io.ReadFull(c, proof[:]); err != nil {
		return hello{}, Identity{}, fmt.Errorf("handshake: %w", err)
	}
	v := verdict{}
	if len(secret) > 0 {
		expect := prove(secret, labelDialer, rawHello, rawChallenge)
		if !hmac.Equal(expect[:], proof[:]) {
			v.Status = statusAuth
		}
	}
	if v.Status == statusOK { // strangers are told nothing of us
		v.From = self()
		err := meets(h.Want, v.From)
		if err == nil {
			err = admit(h.Kind, h.From, h.Want)
		}
		v.Status = statusOf(err)
	}
	raw := v.appendSigned(make([]byte, 0, verdictSize))
	if len(secret) > 0 {
		v.Proof = prove(secret, labelListener, rawHello, rawChallenge, proof[:], raw)
	}
	if _, err := c.Write(append(raw, v.Proof[:]...)); err != nil {
		return hello{}, Identity{}, fmt.Errorf("handshake: %w", err)
	}
	return h, v.From, v.Status.err()
}

// refuseEarly ends a handshake before anybody authenticated; the other side
// may take the reason as a hint. A failure to say so changes nothing.
func refuseEarly(c net.Conn, s status) {
	ch := challenge{Status: s}
	_, _ = c.Write(ch.append(make([]byte, 0, challengeSize)))
}

// meets reports why a node isn't the one that was wanted.
func meets(w Want, id Identity) error {
	switch {
	case w.Node != "" && w.Node != id.Node:
		return ErrNotThatNode
	case w.ClusterID != "" && w.ClusterID != id.ClusterID:
		return ErrWrongCluster
	case w.Generation != 0 && w.Generation != id.Generation:
		return ErrOldGeneration
	}
	return nil
}

func hostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return h
}
