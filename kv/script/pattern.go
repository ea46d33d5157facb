package script

import (
	lua "github.com/yuin/gopher-lua"
)

// Lua's patterns. The matcher counts its steps, because some patterns take time
// exponential in the length of the text, and bounds its recursion.

const (
	maxCaptures   = 32
	maxMatchDepth = 200 << 4

	captureOpen     = -1
	capturePosition = -2
)

type capture struct{ start, length int }

// matcher matches one pattern against one text.
type matcher struct {
	st       *state
	l        *lua.LState
	text     string
	pattern  string
	captures [maxCaptures]capture
	level    int
	depth    int
}

// match matches the pattern from p on against the text from s on, and returns
// the end of the match, or -1.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		raisef(m.l, "pattern too complex")
	}
	end := m.matchHere(s, p)
	m.depth--
	return end
}

func (m *matcher) matchHere(s, p int) int {
	for p < len(m.pattern) {
		m.st.budget.spend(m.l, workPerStep)
		switch m.pattern[p] {
		case '(':
			if p+1 < len(m.pattern) && m.pattern[p+1] == ')' {
				return m.open(s, p+2, capturePosition)
			}
			return m.open(s, p+1, captureOpen)
		case ')':
			return m.close(s, p+1)
		case '$':
			if p+1 == len(m.pattern) {
				if s == len(m.text) {
					return s
				}
				return -1
			}
		case '%':
			if p+1 < len(m.pattern) {
				switch c := m.pattern[p+1]; {
				case c == 'b':
					if s = m.balance(s, p+2); s < 0 {
						return -1
					}
					p += 4
					continue
				case c == 'f':
					p += 2
					if p >= len(m.pattern) || m.pattern[p] != '[' {
						raisef(m.l, "missing '[' after '%%f' in pattern")
					}
					end := m.classEnd(p)
					before, after := byte(0), byte(0)
					if s > 0 {
						before = m.text[s-1]
					}
					if s < len(m.text) {
						after = m.text[s]
					}
					if m.inSet(before, p, end-1) || !m.inSet(after, p, end-1) {
						return -1
					}
					p = end
					continue
				case c >= '0' && c <= '9':
					if s = m.back(s, c); s < 0 {
						return -1
					}
					p += 2
					continue
				}
			}
		}
		end := m.classEnd(p)
		suffix := byte(0)
		if end < len(m.pattern) {
			suffix = m.pattern[end]
		}
		switch suffix {
		case '?':
			if s < len(m.text) && m.single(m.text[s], p, end) {
				if r := m.match(s+1, end+1); r >= 0 {
					return r
				}
			}
			p = end + 1
		case '*':
			return m.most(s, p, end, 0)
		case '+':
			return m.most(s, p, end, 1)
		case '-':
			return m.least(s, p, end)
		default:
			if s >= len(m.text) || !m.single(m.text[s], p, end) {
				return -1
			}
			s++
			p = end
		}
	}
	return s
}

// most repeats a single item as often as it can, and at least so often.
func (m *matcher) most(s, p, end, atLeast int) int {
	n := 0
	for s+n < len(m.text) && m.single(m.text[s+n], p, end) {
		n++
	}
	m.st.budget.spend(m.l, n)
	for ; n >= atLeast; n-- {
		if r := m.match(s+n, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

// least repeats a single item as seldom as it can.
func (m *matcher) least(s, p, end int) int {
	for {
		if r := m.match(s, end+1); r >= 0 {
			return r
		}
		if s >= len(m.text) || !m.single(m.text[s], p, end) {
			return -1
		}
		s++
	}
}

func (m *matcher) open(s, p, kind int) int {
	if m.level >= maxCaptures {
		raisef(m.l, "too many captures")
	}
	m.captures[m.level] = capture{s, kind}
	m.level++
	r := m.match(s, p)
	if r < 0 {
		m.level--
	}
	return r
}

func (m *matcher) close(s, p int) int {
	i := m.level - 1
	for ; i >= 0 && m.captures[i].length != captureOpen; i-- {
	}
	if i < 0 {
		raisef(m.l, "invalid pattern capture")
	}
	m.captures[i].length = s - m.captures[i].start
	r := m.match(s, p)
	if r < 0 {
		m.captures[i].length = captureOpen
	}
	return r
}

// balance matches %bxy, whose x is at p.
func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.pattern) {
		raisef(m.l, "unbalanced pattern")
	}
	if s >= len(m.text) || m.text[s] != m.pattern[p] {
		return -1
	}
	open, end := m.pattern[p], m.pattern[p+1]
	for i, depth := s+1, 1; i < len(m.text); i++ {
		switch c := m.text[i]; {
		case c == end:
			if depth--; depth == 0 {
				m.st.budget.spend(m.l, i-s)
				return i + 1
			}
		case c == open:
			depth++
		}
	}
	m.st.budget.spend(m.l, len(m.text)-s)
	return -1
}

// back matches what a capture has matched.
func (m *matcher) back(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.captures[i].length == captureOpen {
		raisef(m.l, "invalid capture index")
	}
	c := m.captures[i]
	n := max(c.length, 0)
	if len(m.text)-s < n || m.text[c.start:c.start+n] != m.text[s:s+n] {
		return -1
	}
	return s + n
}

// classEnd is the end of the single item at p.
func (m *matcher) classEnd(p int) int {
	c := m.pattern[p]
	p++
	switch c {
	case '%':
		if p >= len(m.pattern) {
			raisef(m.l, "malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(m.pattern) && m.pattern[p] == '^' {
			p++
		}
		for first := true; ; first = false {
			if p >= len(m.pattern) {
				raisef(m.l, "malformed pattern (missing ']')")
			}
			c := m.pattern[p]
			if c == ']' && !first {
				return p + 1
			}
			p++
			if c == '%' {
				if p >= len(m.pattern) {
					raisef(m.l, "malformed pattern (missing ']')")
				}
				p++
			}
		}
	}
	return p
}

// single reports whether the item from p to end matches a character.
func (m *matcher) single(c byte, p, end int) bool {
	switch m.pattern[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pattern[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	}
	return m.pattern[p] == c
}

// inSet reports whether a character is in the set whose '[' is at p and whose ']'
// is at end.
func (m *matcher) inSet(c byte, p, end int) bool {
	found := true
	p++
	if m.pattern[p] == '^' {
		found = false
		p++
	}
	for ; p < end; p++ {
		switch {
		case m.pattern[p] == '%':
			p++
			if inClass(c, m.pattern[p]) {
				return found
			}
		case p+2 < end && m.pattern[p+1] == '-':
			if m.pattern[p] <= c && c <= m.pattern[p+2] {
				return found
			}
			p += 2
		case m.pattern[p] == c:
			return found
		}
	}
	return !found
}

// inClass reports whether a character is in a class like %a.
func inClass(c, class byte) bool {
	lower := class | 0x20
	var in bool
	switch lower {
	case 'a':
		in = isAlpha(c)
	case 'c':
		in = c < ' ' || c == 127
	case 'd':
		in = c >= '0' && c <= '9'
	case 'l':
		in = c >= 'a' && c <= 'z'
	case 'p':
		in = c > ' ' && c < 127 && !isAlpha(c) && (c < '0' || c > '9')
	case 's':
		in = c == ' ' || c >= '\t' && c <= '\r'
	case 'u':
		in = c >= 'A' && c <= 'Z'
	case 'w':
		in = isAlpha(c) || c >= '0' && c <= '9'
	case 'x':
		in = c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	if !isAlpha(class) {
		return class == c
	}
	if class != lower {
		return !in
	}
	return in
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// captured is the value of a capture; the whole match if there are none.
func (m *matcher) captured(i, start, end int) lua.LValue {
	if i >= m.level {
		if i != 0 {
			raisef(m.l, "invalid capture index")
		}
		return lua.LString(m.text[start:end])
	}
	c := m.captures[i]
	switch c.length {
	case capturePosition:
		return lua.LNumber(c.start + 1)
	case captureOpen:
		raisef(m.l, "unfinished capture")
	}
	return lua.LString(m.text[c.start : c.start+c.length])
}

// pushCaptures pushes all captures; the whole match if there are none and it is
// wanted.
func (m *matcher) pushCaptures(start, end int, whole bool) int {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		m.l.Push(m.captured(i, start, end))
	}
	return n
}
