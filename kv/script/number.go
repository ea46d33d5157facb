package script

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// appendNumber appends a number as Lua shows it: with up to 14 digits, as C's
// %.14g has it.
func appendNumber(b []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1e14 && (f != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(b, int64(f), 10)
	}
	return appendG(b, f, 14)
}

// appendG appends f as C's %.<digits>g has it.
func appendG(b []byte, f float64, digits int) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	case math.IsNaN(f):
		// What the processor makes of 0/0 has the sign set. So would what Go's own
		// functions return if they left it to the processor.
		if math.Signbit(f) || math.Float64bits(f) == math.Float64bits(math.NaN()) {
			return append(b, "-nan"...)
		}
		return append(b, "nan"...)
	}
	return strconv.AppendFloat(b, f, 'g', digits, 64)
}

// appendArgument appends a number as an argument of a command: whole numbers with
// all their digits, others with 17.
func appendArgument(b []byte, f float64) []byte {
	if f >= -math.MaxInt64/2 && f <= math.MaxInt64/2 && f == math.Trunc(f) {
		return strconv.AppendInt(b, int64(f), 10)
	}
	return appendG(b, f, 17)
}

// parseNumber reads what Lua takes for a number: what C's strtod does, or a
// hexadecimal integer, with spaces around.
func parseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	if s == "" || strings.ContainsAny(s, "_pP") {
		return 0, false
	}
	digits, negative := strings.TrimPrefix(s, "-"), strings.HasPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		n, err := strconv.ParseUint(digits[2:], 16, 64)
		if err != nil {
			return 0, false
		}
		if negative {
			return -float64(n), true
		}
		return float64(n), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	if math.IsNaN(f) {
		f = math.Float64frombits(0x7ff8 << 48)
	}
	return f, true
}

// toNumber is a number, or a string that looks like one.
func toNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}

// toText is a string, or a number as a string.
func toText(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		var b [32]byte
		return string(appendNumber(b[:0], float64(v))), true
	}
	return "", false
}

// toInt is a number as a whole one, cut off, within what an int32 can say, as
// C's conversion to an int would be used.
func toInt(f float64) int {
	switch {
	case f != f:
		return math.MinInt32
	case f >= math.MaxInt32:
		return math.MaxInt32
	case f <= math.MinInt32:
		return math.MinInt32
	}
	return int(f)
}
