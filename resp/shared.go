package resp

// Shared is memory that the parsers of one goroutine use in turn, so that a
// connection that waits for its client's next request has no buffers. A parser
// borrows it, is fed and emptied, and gives it back.
type Shared struct {
	buf   []byte
	reqs  []request
	spans []span
	args  [][]byte
	free  [][]byte // for incomplete requests
	inUse bool
}

// What of an incomplete request is kept beside the shared memory until the
// next bytes come. A longer one stays in a buffer of its own.
const (
	smallRest  = 4 << 10
	smallSpans = 64
	maxFree    = 64
)

// NewShared makes shared memory that takes so many bytes in one read.
func NewShared(size int) *Shared { return &Shared{buf: make([]byte, 0, size)} }

// Borrow makes the parser work in m until GiveBack, unless it is in the middle
// of a long request.
func (p *Parser) Borrow(m *Shared) {
	rest := p.buf[p.live():]
	if p.lent || m.inUse || p.next < len(p.reqs) || len(rest) > smallRest || len(p.spans)-p.first > smallSpans {
		return
	}
	m.inUse, p.grown = true, false
	own := p.buf
	p.shift(p.live())
	p.buf = append(m.buf[:0], rest...)
	p.spans = append(m.spans[:0], p.spans[p.first:]...)
	p.reqs, p.next, p.first = m.reqs[:0], 0, 0
	p.args, p.lent = m.args[:0], true
	m.keep(own)
}

// GiveBack ends what Borrow began. What is still needed of the input is copied;
// a parser without any has no memory of its own then.
func (p *Parser) GiveBack(m *Shared) {
	if p.lent {
		m.inUse = false
		if cap(p.args) <= keepArgs && cap(p.spans) <= 2*keepArgs {
			m.reqs, m.spans, m.args = p.reqs[:0], p.spans[:0], p.args[:0]
		}
	} else if !p.idle() {
		return
	} else {
		m.keep(p.buf)
	}
	p.compact()
	rest, spans, reqs := p.buf, p.spans, p.reqs[p.next:]
	if !p.lent || !p.grown || len(rest) == 0 {
		p.buf = nil
		if len(rest) > 0 {
			p.buf = append(m.take(len(rest)), rest...)
		}
	}
	p.args, p.spans, p.reqs, p.lent, p.full = nil, nil, nil, false, false
	from := p.first
	if len(reqs) > 0 {
		from = reqs[0].from
		p.reqs = append(p.reqs, reqs...)
		for i := range p.reqs {
			p.reqs[i].from -= from
			p.reqs[i].to -= from
		}
	}
	if len(spans) > from {
		p.spans = append(p.spans, spans[from:]...)
	}
	p.first -= from
	p.next = 0
}

func (m *Shared) keep(b []byte) {
	if cap(b) >= startBuffer/4 && cap(b) <= readBuffer && len(m.free) < maxFree {
		m.free = append(m.free, b[:0])
	}
}

func (m *Shared) take(n int) []byte {
	if k := len(m.free); k > 0 && cap(m.free[k-1]) >= n {
		b := m.free[k-1]
		m.free = m.free[:k-1]
		return b
	}
	if n <= smallRest {
		return make([]byte, 0, max(startBuffer/4, n))
	}
	return make([]byte, 0, max(readBuffer, 2*n))
}
