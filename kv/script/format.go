package script

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// stringFormat is C's printf, as far as Lua offers it.
func (st *state) stringFormat(l *lua.LState) int {
	format := argString(l, 1, "format")
	var b []byte
	arg := 1
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b = append(b, format[i])
			continue
		}
		if i++; i < len(format) && format[i] == '%' {
			b = append(b, '%')
			continue
		}
		spec, n := parseFormat(l, format[i:])
		i += n
		if i >= len(format) {
			raisef(l, "invalid option '%%' to 'format'")
		}
		arg++
		size := len(b)
		b = spec.append(l, b, format[i], arg)
		if int64(len(b)) > st.budget.maxMemory/2 {
			raisef(l, errMemory)
		}
		st.budget.bytes += 2 * (len(b) - size)
		st.budget.spend(l, len(b)-size)
	}
	l.Push(lua.LString(b))
	return 1
}

// conversion is what stands between % and its letter.
type conversion struct {
	flags     string
	width     int
	precision int // -1 = none
}

// parseFormat reads it and returns how long it is.
func parseFormat(l *lua.LState, s string) (c conversion, n int) {
	for n < len(s) && strings.IndexByte("-+ #0", s[n]) >= 0 {
		n++
	}
	if n > 5 {
		raisef(l, "invalid format (repeated flags)")
	}
	c.flags = s[:n]
	digits := func() int {
		v, from := 0, n
		for n < len(s) && n < from+2 && s[n] >= '0' && s[n] <= '9' {
			v = 10*v + int(s[n]-'0')
			n++
		}
		return v
	}
	c.width, c.precision = digits(), -1
	if n < len(s) && s[n] == '.' {
		n++
		c.precision = digits()
	}
	if n < len(s) && s[n] >= '0' && s[n] <= '9' {
		raisef(l, "invalid format (width or precision too long)")
	}
	return c, n
}

// verb is a format for the fmt package.
func (c *conversion) verb(letter byte) string {
	s := "%" + c.flags
	if c.width > 0 {
		s += strconv.Itoa(c.width)
	}
	if c.precision >= 0 {
		s += "." + strconv.Itoa(c.precision)
	}
	return s + string(letter)
}

func (c *conversion) append(l *lua.LState, b []byte, letter byte, arg int) []byte {
	if arg > l.GetTop() && strings.IndexByte("cdiouxXeEfgGqs", letter) >= 0 {
		argError(l, arg, "format", "no value")
	}
	switch letter {
	case 'c':
		return c.pad(b, string([]byte{byte(argInt(l, arg, "format"))}))
	case 'd', 'i':
		if c.precision >= 0 {
			c.flags = strings.ReplaceAll(c.flags, "0", "")
		}
		c.flags = strings.ReplaceAll(c.flags, "#", "")
		return fmt.Appendf(b, c.verb('d'), toInt64(argNumber(l, arg, "format")))
	case 'o', 'u', 'x', 'X':
		if letter == 'u' {
			letter = 'd'
		}
		if c.precision >= 0 {
			c.flags = strings.ReplaceAll(c.flags, "0", "")
		}
		c.flags = strings.NewReplacer("+", "", " ", "").Replace(c.flags)
		n := uint64(toInt64(argNumber(l, arg, "format")))
		if n == 0 || letter == 'd' {
			c.flags = strings.ReplaceAll(c.flags, "#", "")
		}
		return fmt.Appendf(b, c.verb(letter), n)
	case 'e', 'E', 'f', 'g', 'G':
		return c.float(b, letter, argNumber(l, arg, "format"))
	case 'q':
		return appendQuoted(b, argString(l, arg, "format"))
	case 's':
		s := argString(l, arg, "format")
		if c.precision >= 0 && c.precision < len(s) {
			s = s[:c.precision]
		}
		return c.pad(b, s)
	}
	raisef(l, "invalid option '%%%c' to 'format'", letter)
	return b
}

func (c *conversion) float(b []byte, letter byte, f float64) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		s := string(appendG(nil, f, 14))
		if s[0] != '-' && strings.Contains(c.flags, "+") {
			s = "+" + s
		}
		if letter == 'E' || letter == 'G' {
			s = strings.ToUpper(s)
		}
		return c.pad(b, s)
	}
	if c.precision < 0 {
		c.precision = 6
	}
	if letter == 'g' || letter == 'G' {
		c.precision = max(c.precision, 1)
	}
	return fmt.Appendf(b, c.verb(letter), f)
}

// pad appends a text with the width it is to have.
func (c *conversion) pad(b []byte, s string) []byte {
	fill := c.width - len(s)
	if fill <= 0 {
		return append(b, s...)
	}
	if strings.Contains(c.flags, "-") {
		b = append(b, s...)
		return append(b, strings.Repeat(" ", fill)...)
	}
	b = append(b, strings.Repeat(" ", fill)...)
	return append(b, s...)
}

// appendQuoted appends a text as Lua would read it.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range []byte(s) {
		switch c {
		case '"', '\\', '\n':
			b = append(b, '\\', c)
		case '\r':
			b = append(b, `\r`...)
		case 0:
			b = append(b, `\000`...)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// toInt64 is a number as C's cast to a long makes it on the processors Redis runs
// on.
func toInt64(f float64) int64 {
	if f != f || f >= math.MaxInt64 || f <= math.MinInt64 {
		return math.MinInt64
	}
	return int64(f)
}
