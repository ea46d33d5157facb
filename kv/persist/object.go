package persist

import "errors"

// Versions of the format, as Redis numbers them.
const (
	// Version is what is written: that of Redis 7.0. A value that needs a newer
	// one says so.
	Version = 10
	// MaxVersion is the newest that is read: that of Redis 7.2.
	MaxVersion = 11
)

var (
	// ErrFormat says that an object is malformed, of a type that isn't known
	// here, or larger than the caller allows.
	ErrFormat = errors.New("bad data format")
	// ErrChecksum says that a payload is damaged or of a newer version.
	ErrChecksum = errors.New("payload version or checksum are wrong")
)

// Value is a decoded object, or one to be encoded: a [String].
type Value interface {
	// oldest is the lowest version whose readers understand the encoding.
	oldest() uint16
	// kind is the type byte that stands before the body.
	kind() byte
	appendBody(b []byte) []byte
}

// Type bytes: one for each way in which a type of value is laid out. A new type
// of value adds its bytes here, a case to value and a file of its own.
const (
	typeString = 0
)

// value reads the body of an object of the given type.
func (d *decoder) value(kind byte) (Value, error) {
	switch kind {
	case typeString:
		s, err := d.string()
		if err != nil {
			return nil, err
		}
		return String(s), nil
	}
	return nil, ErrFormat
}

// decoder reads from a payload that is completely there. Nothing it returns is
// longer than what is left in the payload, decompressed strings excepted.
type decoder struct {
	rest      []byte
	maxString int
}

func (d *decoder) byte() (byte, error) {
	p, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return p[0], nil
}

// take is the next n bytes. n is compared before it is converted: it may be any
// number a stranger wrote down.
func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.rest)) {
		return nil, ErrFormat
	}
	p := d.rest[:n:n]
	d.rest = d.rest[n:]
	return p, nil
}
