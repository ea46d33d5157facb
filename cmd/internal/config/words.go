package config

import (
	"errors"
	"fmt"
	"strings"
)

var errQuotes = errors.New("Unbalanced quotes in configuration line")

// splitWords splits a line into words as redis-server does: blanks separate,
// "..." knows the escapes \n \r \t \b \a \xHH and takes any other escaped
// character for itself, '...' knows \' only, and a closing quote must end its word.
func splitWords(line string) ([]string, error) {
	var words []string
	for i := 0; ; {
		for i < len(line) && isBlank(line[i]) {
			i++
		}
		if i == len(line) {
			return words, nil
		}
		word, n, err := firstWord(line[i:])
		if err != nil {
			return nil, err
		}
		words = append(words, word)
		i += n
	}
}

// firstWord returns the word that s starts with and its length in s.
func firstWord(s string) (string, int, error) {
	var word []byte
	var quote byte // the quote that is open
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case quote == 0 && isBlank(ch):
			return string(word), i, nil
		case quote == 0 && (ch == '"' || ch == '\''):
			quote = ch
		case quote == '"' && ch == '\\' && i+1 < len(s):
			b, n := unescape(s[i+1:])
			word = append(word, b)
			i += n
		case quote == '\'' && strings.HasPrefix(s[i:], `\'`):
			word = append(word, '\'')
			i++
		case quote != 0 && ch == quote:
			if i+1 < len(s) && !isBlank(s[i+1]) {
				return "", 0, errQuotes
			}
			return string(word), i + 1, nil
		default:
			word = append(word, ch)
		}
	}
	if quote != 0 {
		return "", 0, errQuotes
	}
	return string(word), len(s), nil
}

// unescape reads what follows a backslash and returns the byte it stands for
// and the number of bytes read.
func unescape(s string) (byte, int) {
	if s[0] == 'x' && len(s) >= 3 {
		hi, ok1 := hexDigit(s[1])
		lo, ok2 := hexDigit(s[2])
		if ok1 && ok2 {
			return hi<<4 | lo, 3
		}
	}
	switch s[0] {
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'b':
		return '\b', 1
	case 'a':
		return '\a', 1
	}
	return s[0], 1
}

func hexDigit(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}

func isBlank(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' || b == 0 }

// quoteWord prints s so that splitWords reads it back.
func quoteWord(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '"' || ch == '\\':
			b.WriteByte('\\')
			b.WriteByte(ch)
		case ch == '\n':
			b.WriteString(`\n`)
		case ch == '\r':
			b.WriteString(`\r`)
		case ch == '\t':
			b.WriteString(`\t`)
		case ch < ' ' || ch >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, ch)
		default:
			b.WriteByte(ch)
		}
	}
	b.WriteByte('"')
	return b.String()
}
