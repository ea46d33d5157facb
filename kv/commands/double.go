package commands

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"

	"conclave/kv"
)

// longestDouble bounds the text that is looked at as a number.
const longestDouble = 5 * 1024

// parseDouble reads what C's strtod reads, to the end: decimal and hexadecimal
// floats and infinities. A number out of range, or so small that it would become
// zero, is none, and neither is NaN.
func parseDouble(b []byte) (f float64, ok bool) {
	if n, isInt := kv.ParseInt(b); isInt {
		return float64(n), true
	}
	f, exact, ok := strtod(b)
	return f, ok && exact
}

// parseScoreBound reads an end of a range of scores: a double, and before it a
// parenthesis if the bound itself is outside. What is out of range is infinite or
// zero, and as in Redis nothing at all is zero, too, and spaces may come first.
func parseScoreBound(b []byte) (f float64, open, ok bool) {
	if len(b) > 0 && b[0] == '(' {
		open, b = true, b[1:]
	}
	if n, isInt := kv.ParseInt(b); isInt {
		return float64(n), open, true
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return 0, open, true
	}
	f, _, ok = strtod(bytes.TrimLeft(b, " \t\n\v\f\r"))
	return f, open, ok
}

// strtod reads a double; exact is false if it was out of range.
func strtod(b []byte) (f float64, exact, ok bool) {
	if len(b) == 0 || len(b) > longestDouble || bytes.IndexByte(b, '_') >= 0 {
		return 0, false, false
	}
	text := string(b)
	digits := strings.TrimLeft(text, "+-")
	isHex := len(digits) > 1 && digits[0] == '0' && digits[1]|0x20 == 'x'
	if isHex && !strings.ContainsAny(digits, "pP") {
		text += "p0"
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return f, false, true
	case err != nil || math.IsNaN(f):
		return 0, false, false
	case f == 0:
		return f, isZero(digits, isHex), true
	}
	return f, true, true
}

// isZero reports whether a number without sign is written with zeros only.
func isZero(digits string, isHex bool) bool {
	mark := "eE"
	if isHex {
		digits, mark = digits[2:], "pP"
	}
	if i := strings.IndexAny(digits, mark); i >= 0 {
		digits = digits[:i]
	}
	return strings.Trim(digits, "0.") == ""
}
