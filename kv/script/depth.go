package script

import "strings"

// maxNesting is how deeply the constructs of a program may nest, as in Lua.
const maxNesting = 200

// tooDeep reports whether brackets or blocks of a program nest more deeply than
// that. The parser takes such programs, but very long for them.
func tooDeep(source string) bool {
	depth := 0
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == '-' && strings.HasPrefix(source[i:], "--"):
			i = skipComment(source, i+2)
			continue
		case c == '"' || c == '\'':
			i = skipString(source, i)
			continue
		case c == '[':
			if end := skipLong(source, i); end > i {
				i = end
				continue
			}
			depth++
		case c == '(' || c == '{':
			depth++
		case c == ')' || c == '}' || c == ']':
			depth--
		case c == '_' || isAlpha(c) || c >= '0' && c <= '9':
			end := i
			for end < len(source) && (source[end] == '_' || inClass(source[end], 'w')) {
				end++
			}
			depth += nesting(source[i:end])
			i = end
			continue
		}
		if depth > maxNesting {
			return true
		}
		i++
	}
	return depth > maxNesting
}

// nesting is by how much a word changes the depth.
func nesting(word string) int {
	switch word {
	case "do", "then", "function", "repeat":
		return 1
	case "end", "until", "elseif":
		return -1
	}
	return 0
}

func skipComment(s string, i int) int {
	if end := skipLong(s, i); end > i {
		return end
	}
	n := strings.IndexByte(s[i:], '\n')
	if n < 0 {
		return len(s)
	}
	return i + n
}

func skipString(s string, i int) int {
	quote := s[i]
	for i++; i < len(s) && s[i] != quote && s[i] != '\n'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(s))
}

// skipLong is the end of the long bracket at i, or i if there is none.
func skipLong(s string, i int) int {
	level := i + 1
	for level < len(s) && s[level] == '=' {
		level++
	}
	if i >= len(s) || s[i] != '[' || level >= len(s) || s[level] != '[' {
		return i
	}
	end := "]" + s[i+1:level] + "]"
	n := strings.Index(s[level:], end)
	if n < 0 {
		return len(s)
	}
	return level + n + len(end)
}
