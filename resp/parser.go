package resp

import (
	"bytes"
	"errors"
)

// The limits of Redis that aren't configurable.
const (
	MaxArgs       = 1024 * 1024 // arguments of one request
	MaxInline     = 64 << 10    // bytes of an inline request, or of a count
	maxStrictArgs = 10          // before authentication
	maxStrictBulk = 16 << 10
)

// Sizes of the request buffer.
const (
	startBuffer = 2 << 10   // of a new connection
	readBuffer  = 16 << 10  // of one whose reads fill the buffer
	keepBuffer  = 128 << 10 // a larger one is given back once it is empty
	keepArgs    = 1024
)

// ProtocolError says what is wrong with a request's framing. The connection
// can't go on after it.
type ProtocolError string

func (e ProtocolError) Error() string { return "Protocol error: " + string(e) }

// ErrQueryLimit means that the client sent more than MaxQuery bytes of one
// request: it is disconnected without a reply.
var ErrQueryLimit = errors.New("client-query-buffer-limit exceeded")

// Parser takes requests, RESP arrays of bulk strings or inline commands, out
// of a stream of bytes. It keeps its place in an incomplete request, so that
// no byte is looked at twice, and it never reserves memory for a length that
// was only announced. It is owned by one goroutine.
//
// A reader takes room with Space, puts bytes there and reports them with Fed;
// then Next gives the complete requests one after the other. Ahead and Peek look
// at requests before it is their turn.
type Parser struct {
	MaxBulk  int64 // proto-max-bulk-len; 0 = 512 MiB
	MaxQuery int   // client-query-buffer-limit; 0 = 1 GiB
	Strict   bool  // the client isn't authenticated: tighter limits hold

	buf   []byte
	start int // first byte of the request under way
	pos   int // first byte not parsed yet
	seen  int // first byte not searched for a line's end yet; >= pos
	left  int // bulk strings that are still to come; 0 = between requests
	bulk  int // length of the bulk under way; -1 = its header is to come
	full  bool
	lent  bool // reqs, spans and args belong to a Shared, and buf unless
	grown bool // it became too small

	reqs  []request // complete ones; those from next on are still to be returned
	next  int
	spans []span // of the arguments of reqs, and then of the request under way
	first int    // the first of the latter
	args  [][]byte
	err   error // what follows reqs
}

// request is a complete one: where it begins in the buffer, and its arguments,
// spans[from:to].
type request struct{ start, from, to int }

// span is a part of the buffer, relative to the start of its request, which
// may move.
type span struct{ from, to int }

// Space returns the room for the next bytes, at least a few hundred. The
// arguments that Next returned before are invalid from here on.
func (p *Parser) Space() []byte {
	if p.idle() {
		p.empty()
	} else {
		p.compact()
	}
	if cap(p.buf)-len(p.buf) < startBuffer/4 {
		b := make([]byte, len(p.buf), max(2*cap(p.buf), startBuffer))
		copy(b, p.buf)
		p.buf, p.grown = b, true
	}
	return p.buf[len(p.buf):cap(p.buf)]
}

// idle reports whether there is nothing in the buffer that is still needed.
func (p *Parser) idle() bool {
	return p.left == 0 && p.pos == len(p.buf) && p.next == len(p.reqs)
}

// live is the first byte that is still needed.
func (p *Parser) live() int {
	if p.next < len(p.reqs) {
		return p.reqs[p.next].start
	}
	return p.start
}

// compact moves what is still needed to the beginning of the buffer.
func (p *Parser) compact() {
	if by := p.live(); by > 0 {
		p.buf = p.buf[:copy(p.buf, p.buf[by:])]
		p.shift(by)
	}
}

// shift follows a move of the buffer's content towards its beginning.
func (p *Parser) shift(by int) {
	p.start -= by
	p.pos -= by
	p.seen -= by
	for i := p.next; i < len(p.reqs); i++ {
		p.reqs[i].start -= by
	}
}

// empty starts over at the beginning of the buffer, or of one of a size that
// suits the connection.
func (p *Parser) empty() {
	p.start, p.pos, p.seen = 0, 0, 0
	switch {
	case p.lent:
		p.buf = p.buf[:0]
	case cap(p.buf) > keepBuffer:
		p.buf = nil
	case p.full && cap(p.buf) < readBuffer:
		p.buf = make([]byte, 0, readBuffer)
	default:
		p.buf = p.buf[:0]
	}
	p.full = false
	if cap(p.args) > keepArgs || cap(p.spans) > 2*keepArgs {
		p.args, p.spans, p.reqs, p.next, p.first = nil, nil, nil, 0, 0
	}
}

// Fed reports that n bytes were put into the room that Space returned.
func (p *Parser) Fed(n int) {
	p.full = len(p.buf)+n == cap(p.buf)
	p.buf = p.buf[:len(p.buf)+n]
}

// Feed copies b into the buffer.
func (p *Parser) Feed(b []byte) {
	for len(b) > 0 {
		n := copy(p.Space(), b)
		p.Fed(n)
		b = b[n:]
	}
}

// Buffered is the number of bytes that wait for the rest of their request, and
// Cap the size of the buffer they are in.
func (p *Parser) Buffered() int { return len(p.buf) - p.pos }

// Cap is the size of the request buffer.
func (p *Parser) Cap() int { return cap(p.buf) }

// Next returns the arguments of the next complete request, or nil if there is
// none yet. There is at least one argument. They alias the buffer and are valid
// until the next call of Space or GiveBack, the slice that holds them until the
// next call of Next. An error is final: a [ProtocolError] or ErrQueryLimit.
func (p *Parser) Next() ([][]byte, error) {
	if p.Ahead(1) == 0 {
		return nil, p.err
	}
	r := &p.reqs[p.next]
	p.next++
	base := p.buf[r.start:]
	p.args = p.args[:0]
	for _, s := range p.spans[r.from:r.to] {
		p.args = append(p.args, base[s.from:s.to:s.to])
	}
	return p.args, nil
}

// Ahead parses until n complete requests wait to be returned by Next, or what
// has come is used up. It returns how many there are, possibly more than n.
func (p *Parser) Ahead(n int) int {
	if p.next == len(p.reqs) && p.next > 0 {
		p.spans = append(p.spans[:0], p.spans[p.first:]...)
		p.reqs, p.next, p.first = p.reqs[:0], 0, 0
	}
	for len(p.reqs)-p.next < n && p.parse() {
	}
	return len(p.reqs) - p.next
}

// Peek is argument arg of the i-th of the requests that wait to be returned;
// nil if it has fewer. It is valid as long as the arguments from Next are.
func (p *Parser) Peek(i, arg int) []byte {
	r := &p.reqs[p.next+i]
	if arg >= r.to-r.from {
		return nil
	}
	s := p.spans[r.from+arg]
	return p.buf[r.start+s.from : r.start+s.to]
}

// PeekLen is the number of arguments of the i-th of the requests that wait.
func (p *Parser) PeekLen(i int) int {
	r := &p.reqs[p.next+i]
	return r.to - r.from
}

// Unread makes the request that Next returned last wait again.
func (p *Parser) Unread() { p.next-- }

// parse takes one more request off the input and reports whether it was there
// in full.
func (p *Parser) parse() bool {
	for p.err == nil {
		if p.left > 0 {
			if !p.bulks() {
				break
			}
			p.complete()
			return true
		}
		p.start = p.pos
		if p.pos == len(p.buf) {
			return false
		}
		if p.buf[p.pos] == '*' {
			if !p.header() {
				break
			}
		} else {
			if !p.inline() {
				break
			}
			if len(p.spans) > p.first {
				p.complete()
				return true
			}
		}
	}
	if p.err == nil && len(p.buf)-p.start > p.maxQuery() {
		p.err = ErrQueryLimit
	}
	return false
}

func (p *Parser) complete() {
	p.reqs = append(p.reqs, request{p.start, p.first, len(p.spans)})
	p.first = len(p.spans)
	p.start = p.pos
}

func (p *Parser) maxQuery() int {
	if p.MaxQuery > 0 {
		return p.MaxQuery
	}
	return 1 << 30
}

func (p *Parser) maxBulk() int64 {
	if p.MaxBulk > 0 {
		return p.MaxBulk
	}
	return 512 << 20
}

// line takes a line that ends with end, and skip bytes more behind it, off the
// input. It returns the text between from and end. ok is false if the line
// isn't complete yet, or if it is too long: then p.err is set.
func (p *Parser) line(from int, end byte, skip int, tooLong ProtocolError) (text []byte, ok bool) {
	p.seen = max(p.seen, from)
	i := bytes.IndexByte(p.buf[p.seen:], end)
	if i < 0 {
		p.seen = len(p.buf)
		if p.seen-p.pos > MaxInline {
			p.err = tooLong
		}
		return nil, false
	}
	i += p.seen
	if i-p.pos > MaxInline {
		p.err = tooLong
		return nil, false
	}
	if i+skip >= len(p.buf) {
		p.seen = i // wait for what follows
		return nil, false
	}
	text = p.buf[from:i]
	p.pos = i + 1 + skip
	p.seen = p.pos
	return text, true
}

// number parses the integer of a count or a length behind its first byte, with
// its line end. done is false if it isn't there in full, or if the line is too
// long: then p.err is set.
func (p *Parser) number(tooLong ProtocolError) (n int64, ok, done bool) {
	// Nearly all are short and complete.
	from := p.pos + 1
	i := from
	for ; i < len(p.buf) && i < from+9; i++ {
		c := p.buf[i] - '0'
		if c > 9 {
			break
		}
		n = n*10 + int64(c)
	}
	if i > from && i+1 < len(p.buf) && p.buf[i] == '\r' && (p.buf[from] != '0' || i == from+1) {
		p.pos = i + 2
		p.seen = p.pos
		return n, true, true
	}
	text, done := p.line(from, '\r', 1, tooLong)
	if !done {
		return 0, false, false
	}
	n, ok = parseInt(text)
	return n, ok, true
}

// header parses "*3\r\n".
func (p *Parser) header() bool {
	n, ok, done := p.number("too big mbulk count string")
	if !done {
		return false
	}
	switch {
	case !ok || n > MaxArgs:
		p.err = ProtocolError("invalid multibulk length")
		return false
	case n > maxStrictArgs && p.Strict:
		p.err = ProtocolError("unauthenticated multibulk length")
		return false
	case n > 0:
		p.left, p.bulk = int(n), -1
	}
	return true
}

// bulks parses as many of the "$3\r\nSET\r\n" that are left as are there. It
// reports whether all are.
func (p *Parser) bulks() bool {
	for p.left > 0 {
		if p.bulk < 0 && !p.bulkHeader() {
			return false
		}
		if len(p.buf)-p.pos < p.bulk+2 {
			return false
		}
		from := p.pos - p.start
		p.spans = append(p.spans, span{from, from + p.bulk})
		p.pos += p.bulk + 2 // what ends it isn't looked at, as in Redis
		p.seen = p.pos
		p.bulk = -1
		p.left--
	}
	return true
}

func (p *Parser) bulkHeader() bool {
	if p.pos == len(p.buf) {
		return false
	}
	if c := p.buf[p.pos]; c != '$' {
		p.err = ProtocolError("expected '$', got '" + string([]byte{c}) + "'")
		return false
	}
	n, ok, done := p.number("too big bulk count string")
	if !done {
		return false
	}
	switch {
	case !ok || n < 0 || n > p.maxBulk():
		p.err = ProtocolError("invalid bulk length")
		return false
	case n > maxStrictBulk && p.Strict:
		p.err = ProtocolError("unauthenticated bulk length")
		return false
	}
	p.bulk = int(n)
	return true
}

// parseInt is Redis's string2ll: an optional minus and digits without leading
// zeros, nothing else.
func parseInt(b []byte) (n int64, ok bool) {
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	// 18 digits always fit; no length or count that counts has more.
	if len(b) == 0 || len(b) > 18 || b[0] == '0' {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}
