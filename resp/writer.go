package resp

import (
	"bytes"
	"math"
	"strconv"

	"github.com/tidwall/redcon"
)

// Writer appends replies to a buffer in the protocol version of one
// connection. The zero value writes RESP2. It is owned by one goroutine.
type Writer struct {
	buf   []byte
	proto int
}

// Proto is 2 or 3.
func (w *Writer) Proto() int {
	if w.proto == 3 {
		return 3
	}
	return 2
}

// SetProto selects RESP2 (2) or RESP3 (3) for everything written from now on.
func (w *Writer) SetProto(v int) { w.proto = v }

// Bytes is what was written since the last Reset; valid until the next write.
func (w *Writer) Bytes() []byte { return w.buf }

// Cap is the size of the buffer.
func (w *Writer) Cap() int { return cap(w.buf) }

// Len is the number of bytes that wait in the buffer.
func (w *Writer) Len() int { return len(w.buf) }

// Truncate drops everything after the first n bytes, so that a reply that
// turns out to be void can be replaced.
func (w *Writer) Truncate(n int) { w.buf = w.buf[:n] }

// Reset empties the buffer and gives it a new backing array (nil is allowed).
func (w *Writer) Reset(b []byte) { w.buf = b[:0] }

// Raw appends bytes that are already encoded.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// OK writes +OK.
func (w *Writer) OK() { w.buf = append(w.buf, "+OK\r\n"...) }

// Simple writes a simple string. Line breaks in s become spaces.
func (w *Writer) Simple(s string) { w.buf = redcon.AppendString(w.buf, s) }

// Error writes an error reply. s starts with the error code ("ERR ...",
// "MOVED ..."), without the dash. Line breaks in s become spaces.
func (w *Writer) Error(s string) { w.buf = redcon.AppendError(w.buf, s) }

// Int writes an integer.
func (w *Writer) Int(n int64) { w.buf = redcon.AppendInt(w.buf, n) }

// Bulk writes a bulk string.
func (w *Writer) Bulk(b []byte) { w.buf = redcon.AppendBulk(w.buf, b) }

// BulkString writes a bulk string.
func (w *Writer) BulkString(s string) { w.buf = redcon.AppendBulkString(w.buf, s) }

// BulkInt writes an integer as a bulk string.
func (w *Writer) BulkInt(n int64) {
	var scratch [20]byte
	w.Bulk(strconv.AppendInt(scratch[:0], n, 10))
}

// Null writes the null of a bulk string: $-1 or _.
func (w *Writer) Null() {
	if w.proto == 3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = redcon.AppendNull(w.buf)
}

// NullArray writes the null of an array: *-1 or _.
func (w *Writer) NullArray() {
	if w.proto == 3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = append(w.buf, "*-1\r\n"...)
}

// Array announces n elements.
func (w *Writer) Array(n int) { w.buf = redcon.AppendArray(w.buf, n) }

// Map announces n key/value pairs: a flat array of 2n in RESP2.
func (w *Writer) Map(n int) {
	if w.proto == 3 {
		w.header('%', n)
		return
	}
	w.Array(2 * n)
}

// Set announces n members: an array in RESP2.
func (w *Writer) Set(n int) {
	if w.proto == 3 {
		w.header('~', n)
		return
	}
	w.Array(n)
}

// Push announces an out-of-band message of n elements: an array in RESP2.
func (w *Writer) Push(n int) {
	if w.proto == 3 {
		w.header('>', n)
		return
	}
	w.Array(n)
}

// Attribute announces n attribute pairs. RESP3 only; the caller checks Proto.
func (w *Writer) Attribute(n int) { w.header('|', n) }

// Bool writes a boolean: 1 or 0 in RESP2.
func (w *Writer) Bool(v bool) {
	switch {
	case w.proto == 3 && v:
		w.buf = append(w.buf, "#t\r\n"...)
	case w.proto == 3:
		w.buf = append(w.buf, "#f\r\n"...)
	case v:
		w.Int(1)
	default:
		w.Int(0)
	}
}

// Double writes a floating point number: a bulk string in RESP2. Both use the
// shortest text that reads back as the same number, as Redis 7.2 does.
func (w *Writer) Double(f float64) {
	var scratch [32]byte
	t := AppendDouble(scratch[:0], f)
	if w.proto == 3 {
		w.buf = append(w.buf, ',')
		w.buf = append(w.buf, t...)
		w.buf = append(w.buf, '\r', '\n')
		return
	}
	w.Bulk(t)
}

// maxPlain is the largest integer that Redis 7.2 writes digit by digit.
const maxPlain = 1 << 62

// AppendDouble appends the text Redis 7.2 uses for f: the shortest digits that
// read back as f, laid out as its fpconv library does.
func AppendDouble(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	case math.IsNaN(f):
		return append(b, "nan"...)
	case f == 0 && math.Signbit(f):
		return append(b, "-0"...)
	case f == math.Trunc(f) && math.Abs(f) <= maxPlain:
		return strconv.AppendInt(b, int64(f), 10)
	}
	var scratch [32]byte
	text := strconv.AppendFloat(scratch[:0], f, 'e', -1, 64) // -d.ddde±dd
	if text[0] == '-' {
		b = append(b, '-')
		text = text[1:]
	}
	e := bytes.IndexByte(text, 'e')
	exp, _ := strconv.Atoi(string(text[e+1:]))
	digits := text[:e]
	if len(digits) > 1 {
		digits = append(digits[:1], digits[2:]...) // without the point
	}
	n := len(digits)
	scale := exp - n + 1 // f is digits times ten to the scale
	switch {
	case scale >= 0 && exp < n+7:
		b = append(b, digits...)
		return appendZeros(b, scale)
	case scale < 0 && exp < 0 && (scale > -7 || exp > -4):
		b = append(b, "0."...)
		b = appendZeros(b, -exp-1)
		return append(b, digits...)
	case scale < 0 && exp >= 0 && (scale > -7 || exp < 4):
		b = append(b, digits[:exp+1]...)
		b = append(b, '.')
		return append(b, digits[exp+1:]...)
	}
	b = append(b, digits[0])
	if n > 1 {
		b = append(b, '.')
		b = append(b, digits[1:]...)
	}
	b = append(b, 'e')
	if exp >= 0 {
		b = append(b, '+')
	}
	return strconv.AppendInt(b, int64(exp), 10)
}

func appendZeros(b []byte, n int) []byte {
	for range n {
		b = append(b, '0')
	}
	return b
}

// BigNumber writes a number of any size given as decimal text.
func (w *Writer) BigNumber(s string) {
	if w.proto == 3 {
		w.buf = append(w.buf, '(')
		w.buf = append(w.buf, s...)
		w.buf = append(w.buf, '\r', '\n')
		return
	}
	w.BulkString(s)
}

// Verbatim writes text with a three-letter format ("txt", "mkd"): a plain
// bulk string in RESP2.
func (w *Writer) Verbatim(format, s string) {
	if w.proto == 3 {
		w.header('=', len(s)+4)
		w.buf = append(w.buf, format[:3]...)
		w.buf = append(w.buf, ':')
		w.buf = append(w.buf, s...)
		w.buf = append(w.buf, '\r', '\n')
		return
	}
	w.BulkString(s)
}

func (w *Writer) header(kind byte, n int) {
	w.buf = append(w.buf, kind)
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
	w.buf = append(w.buf, '\r', '\n')
}
