package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"conclave/fsm"
)

// Sizes of the handshake's four messages; FORMAT.md has the layouts.
const (
	nonceSize     = 32
	proofSize     = 32
	idSize        = 40
	identitySize  = 120
	wantSize      = 88
	helloSize     = 8 + nonceSize + identitySize + wantSize
	challengeSize = 8 + nonceSize
	verdictSize   = 8 + identitySize + proofSize

	version = 1

	flagAuth = 1 // a secret is configured: proofs are sent and expected
)

var magic = [4]byte{'C', 'N', 'C', 'L'}

var errMagic = errors.New("not a conclave node")

// hello opens a connection (dialer to listener).
type hello struct {
	Kind  Kind
	Flags byte
	Nonce [nonceSize]byte
	From  Identity
	Want  Want
}

// challenge answers it. A status other than OK ends the handshake.
type challenge struct {
	Flags  byte
	Status status
	Nonce  [nonceSize]byte
}

// verdict ends the handshake (after the dialer's proof). From is zero if the
// dialer failed to authenticate.
type verdict struct {
	Status status
	From   Identity
	Proof  [proofSize]byte
}

func appendHeader(b []byte, x, y, z byte) []byte {
	b = append(b, magic[:]...)
	return append(b, version, x, y, z)
}

func checkHeader(b []byte) error {
	if !bytes.Equal(b[:4], magic[:]) {
		return errMagic
	}
	if b[4] != version {
		return fmt.Errorf("%w: %d", ErrVersion, b[4])
	}
	return nil
}

func appendID(b []byte, id string) []byte {
	var f [idSize]byte
	copy(f[:], id)
	return append(b, f[:]...)
}

// parseID reads an id: 40 of [0-9a-z], or 40 zero bytes for none.
func parseID(b []byte) (string, error) {
	if bytes.Equal(b[:idSize], make([]byte, idSize)) {
		return "", nil
	}
	for _, c := range b[:idSize] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "", errors.New("malformed id in the handshake")
		}
	}
	return string(b[:idSize]), nil
}

func appendIdentity(b []byte, id Identity) []byte {
	b = appendID(b, id.ClusterID)
	b = binary.BigEndian.AppendUint64(b, id.Recovery)
	b = appendID(b, string(id.Node))
	b = binary.BigEndian.AppendUint64(b, id.Attempt)
	b = binary.BigEndian.AppendUint64(b, id.Generation)
	b = binary.BigEndian.AppendUint64(b, id.Incarnation.Count)
	return binary.BigEndian.AppendUint64(b, id.Incarnation.Random)
}

func parseIdentity(b []byte) (id Identity, err error) {
	if id.ClusterID, err = parseID(b); err != nil {
		return Identity{}, err
	}
	id.Recovery = binary.BigEndian.Uint64(b[40:])
	node, err := parseID(b[48:])
	if err != nil {
		return Identity{}, err
	}
	id.Node = fsm.NodeID(node)
	id.Attempt = binary.BigEndian.Uint64(b[88:])
	id.Generation = binary.BigEndian.Uint64(b[96:])
	id.Incarnation = fsm.Incarnation{Count: binary.BigEndian.Uint64(b[104:]), Random: binary.BigEndian.Uint64(b[112:])}
	return id, nil
}

func (h *hello) append(b []byte) []byte {
	b = appendHeader(b, byte(h.Kind), h.Flags, 0)
	b = append(b, h.Nonce[:]...)
	b = appendIdentity(b, h.From)
	b = appendID(b, h.Want.ClusterID)
	b = appendID(b, string(h.Want.Node))
	return binary.BigEndian.AppendUint64(b, h.Want.Generation)
}

// parseHello reads a message of helloSize bytes.
func parseHello(b []byte) (h hello, err error) {
	if err := checkHeader(b); err != nil {
		return hello{}, err
	}
	h.Kind, h.Flags = Kind(b[5]), b[6]
	copy(h.Nonce[:], b[8:])
	b = b[8+nonceSize:]
	if h.From, err = parseIdentity(b); err != nil {
		return hello{}, err
	}
	b = b[identitySize:]
	if h.Want.ClusterID, err = parseID(b); err != nil {
		return hello{}, err
	}
	node, err := parseID(b[idSize:])
	if err != nil {
		return hello{}, err
	}
	h.Want.Node = fsm.NodeID(node)
	h.Want.Generation = binary.BigEndian.Uint64(b[2*idSize:])
	return h, nil
}

func (c *challenge) append(b []byte) []byte {
	b = appendHeader(b, byte(c.Status), c.Flags, 0)
	return append(b, c.Nonce[:]...)
}

func parseChallenge(b []byte) (c challenge, err error) {
	if err := checkHeader(b); err != nil {
		return challenge{}, err
	}
	c.Status, c.Flags = status(b[5]), b[6]
	copy(c.Nonce[:], b[8:])
	return c, nil
}

// appendSigned appends what the listener's proof covers: all but the proof.
func (v *verdict) appendSigned(b []byte) []byte {
	b = appendHeader(b, byte(v.Status), 0, 0)
	return appendIdentity(b, v.From)
}

func parseVerdict(b []byte) (v verdict, err error) {
	if err := checkHeader(b); err != nil {
		return verdict{}, err
	}
	v.Status = status(b[5])
	if v.From, err = parseIdentity(b[8:]); err != nil {
		return verdict{}, err
	}
	copy(v.Proof[:], b[8+identitySize:])
	return v, nil
}
