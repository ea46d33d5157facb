package persist

import (
	"encoding/binary"
	"math"
)

// String is the value of a string key. Its bytes may be those of the payload
// it was decoded from.
type String []byte

func (String) layout(*Encoding) byte { return typeString }

func (s String) encode(w *encoder, _ byte) { w.string(s) }

// The first byte of a string whose two upper bits are set names an encoding
// instead of a length.
const (
	encInt8  = 0xc0
	encInt16 = 0xc1
	encInt32 = 0xc2
	encLZF   = 0xc3
)

// The first byte of a length: its two upper bits choose the width.
const (
	len14 = 0x40
	len32 = 0x80
	len64 = 0x81
)

func appendLength(b []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return append(b, len14|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, len32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, len64), n)
}

// appendString writes s as an integer if it is the canonical text of one that
// fits 32 bits, compressed if that is shorter, and as it is otherwise.
func (w *encoder) appendString(b, s []byte) []byte {
	if n, ok := canonicalInt32(s); ok {
		switch {
		case n == int32(int8(n)):
			return append(b, encInt8, byte(n))
		case n == int32(int16(n)):
			return binary.LittleEndian.AppendUint16(append(b, encInt16), uint16(n))
		}
		return binary.LittleEndian.AppendUint32(append(b, encInt32), uint32(n))
	}
	if w.Compress {
		if c, ok := w.table.appendCompressed(b, s); ok {
			return c
		}
	}
	return append(appendLength(b, uint64(len(s))), s...)
}

// canonicalInt32 is the number that s is the text of, as it would be printed.
func canonicalInt32(s []byte) (int32, bool) {
	if len(s) == 0 || len(s) > len("-2147483648") {
		return 0, false
	}
	digits, negative := s, s[0] == '-'
	if negative {
		digits = s[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return int32(n), n == int64(int32(n))
}

// length reads a length, or an encoding (isEnc, then n is one of enc*).
func (d *decoder) length() (n uint64, isEnc bool, err error) {
	first, err := d.byte()
	if err != nil {
		return 0, false, err
	}
	switch first >> 6 {
	case 0:
		return uint64(first), false, nil
	case 1:
		low, err := d.byte()
		return uint64(first&0x3f)<<8 | uint64(low), false, err
	case 3:
		return uint64(first), true, nil
	}
	switch first {
	case len32:
		p, err := d.take(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(p)), false, nil
	case len64:
		p, err := d.take(8)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(p), false, nil
	}
	return 0, false, ErrFormat
}

// size reads a length that isn't an encoding.
func (d *decoder) size() (uint64, error) {
	n, isEnc, err := d.length()
	if err == nil && isEnc {
		err = ErrFormat
	}
	return n, err
}

// string reads a string in any of its encodings. Uncompressed ones share the
// payload's memory.
func (d *decoder) string() ([]byte, error) {
	n, isEnc, err := d.length()
	if err != nil {
		return nil, err
	}
	if !isEnc {
		if n > uint64(d.maxString) {
			return nil, ErrFormat
		}
		return d.take(n)
	}
	switch n {
	case encInt8:
		p, err := d.take(1)
		if err != nil {
			return nil, err
		}
		return d.text(int64(int8(p[0]))), nil
	case encInt16:
		p, err := d.take(2)
		if err != nil {
			return nil, err
		}
		return d.text(int64(int16(binary.LittleEndian.Uint16(p)))), nil
	case encInt32:
		p, err := d.take(4)
		if err != nil {
			return nil, err
		}
		return d.text(int64(int32(binary.LittleEndian.Uint32(p)))), nil
	case encLZF:
		return d.lzf()
	}
	return nil, ErrFormat
}

func (d *decoder) lzf() ([]byte, error) {
	packed, err := d.size()
	if err != nil {
		return nil, err
	}
	size, err := d.size()
	if err != nil {
		return nil, err
	}
	p, err := d.take(packed)
	if err != nil {
		return nil, err
	}
	if size > uint64(d.maxString) {
		return nil, ErrFormat
	}
	s, ok := lzfDecompress(p, int(size))
	if !ok {
		return nil, ErrFormat
	}
	return s, nil
}
