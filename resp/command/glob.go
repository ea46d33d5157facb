package command

// Glob reports whether s matches a Redis glob pattern: ? * [a-z] [^a] and \ to
// escape. Unlike Redis's recursive matcher it goes back to the last star only,
// which finds the same matches in time len(pattern)*len(s) at worst.
func Glob(pattern, s []byte, nocase bool) bool {
	p, i := 0, 0
	star, mark := -1, 0 // after the last star, and how much of s it has taken
	for i < len(s) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				for p < len(pattern) && pattern[p] == '*' {
					p++
				}
				if p == len(pattern) {
					return true
				}
				star, mark = p, i
				continue
			}
			if ok, next := globOne(pattern, p, s[i], nocase); ok {
				p, i = next, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globOne matches one byte against the pattern element at p and returns where
// the next element begins.
func globOne(pattern []byte, p int, c byte, nocase bool) (ok bool, next int) {
	switch pattern[p] {
	case '?':
		return true, p + 1
	case '[':
		return globClass(pattern, p+1, c, nocase)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return fold(pattern[p], nocase) == fold(c, nocase), p + 1
}

// globClass matches a byte against the class whose first byte is at p. A class
// that isn't closed ends with the pattern.
func globClass(pattern []byte, p int, c byte, nocase bool) (ok bool, next int) {
	not := p < len(pattern) && pattern[p] == '^'
	if not {
		p++
	}
	c = fold(c, nocase)
	for ; p < len(pattern) && pattern[p] != ']'; p++ {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			p++
			ok = ok || fold(pattern[p], nocase) == c
		case p+2 < len(pattern) && pattern[p+1] == '-':
			lo, hi := fold(pattern[p], nocase), fold(pattern[p+2], nocase)
			if lo > hi {
				lo, hi = hi, lo
			}
			p += 2
			ok = ok || (c >= lo && c <= hi)
		default:
			ok = ok || fold(pattern[p], nocase) == c
		}
	}
	if p < len(pattern) {
		p++
	}
	return ok != not, p
}

func fold(c byte, nocase bool) byte {
	if nocase && c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
