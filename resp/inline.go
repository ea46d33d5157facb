package resp

// inline parses a request that is a line of words. Words are unquoted in
// place: they never become longer. It reports whether the line was complete
// and well-formed; an empty one leaves no arguments.
func (p *Parser) inline() bool {
	text, ok := p.line(p.pos, '\n', 0, "too big inline request")
	if !ok {
		return false
	}
	if n := len(text); n > 0 && text[n-1] == '\r' {
		text = text[:n-1]
	}
	at := 0
	for {
		for at < len(text) && isSpace(text[at]) {
			at++
		}
		if at == len(text) {
			break
		}
		n, next, ok := unquote(text, at)
		if !ok {
			p.err = ProtocolError("unbalanced quotes in request")
			return false
		}
		p.spans = append(p.spans, span{at, at + n})
		at = next
	}
	return true
}

// unquote turns the word that begins at from into its n bytes, in place, and
// returns where it ended. The rules are those of Redis's sdssplitargs: quotes
// may begin inside a word, but what closes them must end it.
func unquote(b []byte, from int) (n, next int, ok bool) {
	w, i := from, from
	var quote byte
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case quote == '"' && c == '\\' && i+3 < len(b) && b[i+1] == 'x' && hexDigit(b[i+2]) >= 0 && hexDigit(b[i+3]) >= 0:
			c = byte(hexDigit(b[i+2])<<4 | hexDigit(b[i+3]))
			i += 3
		case quote == '"' && c == '\\' && i+1 < len(b):
			i++
			c = unescape(b[i])
		case quote == '\'' && c == '\\' && i+1 < len(b) && b[i+1] == '\'':
			i++
			c = '\''
		case quote != 0 && c == quote:
			if i+1 < len(b) && !isSpace(b[i+1]) {
				return 0, 0, false
			}
			return w - from, i + 1, true
		case quote == 0 && isSpace(c):
			return w - from, i, true
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			continue
		}
		b[w] = c
		w++
	}
	return w - from, i, quote == 0
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || (c >= '\t' && c <= '\r') }
