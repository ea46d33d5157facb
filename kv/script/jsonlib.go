package script

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// jsonConfig is what cjson lets programs set.
type jsonConfig struct {
	sparseConvert bool
	sparseRatio   int
	sparseSafe    int
	encodeDepth   int
	decodeDepth   int
	precision     int
	keepBuffer    bool
	encodeInvalid string // "off", "on" or "null"
	decodeInvalid bool
	null          *lua.LUserData
}

func (c *jsonConfig) reset() {
	*c = jsonConfig{
		sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000, precision: 14,
		keepBuffer: true, encodeInvalid: "off", decodeInvalid: true, null: c.null,
	}
}

func (st *state) jsonLibrary() *lua.LTable {
	c := &st.json
	if c.null == nil {
		c.null = &lua.LUserData{Metatable: lua.LNil}
	}
	number := func(name string, p *int, most int) lua.LGFunction {
		return func(l *lua.LState) int {
			if l.GetTop() > 0 {
				n := argInt(l, 1, name)
				if n < 1 || n > most {
					argError(l, 1, name, "expected integer between 1 and "+strconv.Itoa(most))
				}
				*p = n
			}
			l.Push(lua.LNumber(*p))
			return 1
		}
	}
	flag := func(name string, p *bool) lua.LGFunction {
		return func(l *lua.LState) int {
			if l.GetTop() > 0 {
				*p = argOnOff(l, 1, name)
			}
			l.Push(lua.LBool(*p))
			return 1
		}
	}
	fns := library{
		"encode": st.jsonEncode, "decode": st.jsonDecode,
		"encode_max_depth": number("encode_max_depth", &c.encodeDepth, maxJSONDepth), "decode_max_depth": number("decode_max_depth", &c.decodeDepth, maxJSONDepth),
		"encode_number_precision": number("encode_number_precision", &c.precision, 14),
		"encode_keep_buffer":      flag("encode_keep_buffer", &c.keepBuffer), "decode_invalid_numbers": flag("decode_invalid_numbers", &c.decodeInvalid),
		"encode_sparse_array": func(l *lua.LState) int {
			if l.GetTop() > 0 {
				c.sparseConvert = argOnOff(l, 1, "encode_sparse_array")
			}
			if l.GetTop() > 1 {
				c.sparseRatio = max(argInt(l, 2, "encode_sparse_array"), 0)
			}
			if l.GetTop() > 2 {
				c.sparseSafe = max(argInt(l, 3, "encode_sparse_array"), 0)
			}
			l.Push(lua.LBool(c.sparseConvert))
			l.Push(lua.LNumber(c.sparseRatio))
			l.Push(lua.LNumber(c.sparseSafe))
			return 3
		},
		"encode_invalid_numbers": func(l *lua.LState) int {
			if l.GetTop() > 0 {
				if s, ok := l.Get(1).(lua.LString); ok && s == "null" {
					c.encodeInvalid = "null"
				} else if argOnOff(l, 1, "encode_invalid_numbers") {
					c.encodeInvalid = "on"
				} else {
					c.encodeInvalid = "off"
				}
			}
			switch c.encodeInvalid {
			case "null":
				l.Push(lua.LString("null"))
			default:
				l.Push(lua.LBool(c.encodeInvalid == "on"))
			}
			return 1
		},
	}
	t := st.table(fns)
	// It makes another table of the same functions, with the same settings.
	t.RawSetString("new", st.l.NewFunction(func(l *lua.LState) int {
		o := l.NewTable()
		t.ForEach(func(k, v lua.LValue) { o.RawSet(k, v) })
		l.Push(o)
		return 1
	}))
	t.RawSetString("null", c.null)
	t.RawSetString("_NAME", lua.LString("cjson"))
	t.RawSetString("_VERSION", lua.LString("2.1.0"))
	return t
}

// maxJSONDepth bounds what programs may allow: the stack of the process pays.
const maxJSONDepth = 10000

func argOnOff(l *lua.LState, i int, fn string) bool {
	switch v := l.Get(i).(type) {
	case lua.LBool:
		return bool(v)
	case lua.LString:
		if v == "on" || v == "off" {
			return v == "on"
		}
	}
	argError(l, i, fn, "invalid option")
	return false
}

func (st *state) jsonEncode(l *lua.LState) int {
	if l.GetTop() != 1 {
		argError(l, 1, "encode", "expected 1 argument")
	}
	e := jsonEncoder{st: st, l: l, b: st.text[:0]}
	e.value(l.Get(1), 0)
	l.Push(lua.LString(e.b))
	st.keepText(e.b)
	return 1
}

type jsonEncoder struct {
	st *state
	l  *lua.LState
	b  []byte
}

func (e *jsonEncoder) fail(kind, why string) {
	raisef(e.l, "Cannot serialise %s: %s", kind, why)
}

func (e *jsonEncoder) value(v lua.LValue, depth int) {
	from := len(e.b)
	switch v := v.(type) {
	case lua.LString:
		e.text(string(v))
	case lua.LNumber:
		e.number(float64(v))
	case lua.LBool:
		e.b = strconv.AppendBool(e.b, bool(v))
	case *lua.LNilType:
		e.b = append(e.b, "null"...)
	case *lua.LTable:
		e.table(v, depth+1)
	case *lua.LUserData:
		if v != e.st.json.null {
			e.fail("userdata", "type not supported")
		}
		e.b = append(e.b, "null"...)
	default:
		e.fail(v.Type().String(), "type not supported")
	}
	if int64(len(e.b)) > e.st.budget.maxMemory/2 {
		raisef(e.l, errMemory)
	}
	e.st.budget.bytes += len(e.b) - from
	e.st.budget.spend(e.l, workPerStep)
}

func (e *jsonEncoder) number(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		switch e.st.json.encodeInvalid {
		case "off":
			e.fail("number", "must not be NaN or Inf")
		case "null":
			e.b = append(e.b, "null"...)
			return
		}
	}
	e.b = appendG(e.b, f, e.st.json.precision)
}

const jsonHex = "0123456789abcdef"

func (e *jsonEncoder) text(s string) {
	e.st.budget.reserve(e.l, len(s))
	e.b = append(e.b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '/':
			e.b = append(e.b, '\\', c)
		case c >= ' ' && c != 127:
			e.b = append(e.b, c)
		case c == '\b':
			e.b = append(e.b, `\b`...)
		case c == '\t':
			e.b = append(e.b, `\t`...)
		case c == '\n':
			e.b = append(e.b, `\n`...)
		case c == '\f':
			e.b = append(e.b, `\f`...)
		case c == '\r':
			e.b = append(e.b, `\r`...)
		default:
			e.b = append(e.b, '\\', 'u', '0', '0', jsonHex[c>>4], jsonHex[c&15])
		}
	}
	e.b = append(e.b, '"')
}

// listLen is the length of a table to be written as an array, or -1.
func (e *jsonEncoder) listLen(t *lua.LTable) int {
	most, items := 0, 0
	list := true
	t.ForEach(func(k, _ lua.LValue) {
		f, ok := k.(lua.LNumber)
		if !ok || f < 1 || float64(f) != math.Floor(float64(f)) || f > math.MaxInt32 {
			list = false
			return
		}
		most = max(most, int(f))
		items++
	})
	if !list {
		return -1
	}
	c := &e.st.json
	if c.sparseRatio > 0 && most > items*c.sparseRatio && most > c.sparseSafe {
		if !c.sparseConvert {
			e.fail("table", "excessively sparse array")
		}
		return -1
	}
	return most
}

func (e *jsonEncoder) table(t *lua.LTable, depth int) {
	if depth > e.st.json.encodeDepth {
		raisef(e.l, "Cannot serialise, excessive nesting (%d)", depth)
	}
	if n := e.listLen(t); n > 0 {
		e.b = append(e.b, '[')
		for i := 1; i <= n; i++ {
			if i > 1 {
				e.b = append(e.b, ',')
			}
			e.value(t.RawGet(lua.LNumber(i)), depth)
		}
		e.b = append(e.b, ']')
		return
	}
	e.b = append(e.b, '{')
	first := true
	var k, v lua.LValue = lua.LNil, nil
	for {
		if k, v = t.Next(k); k == lua.LNil {
			break
		}
		if e.st.protected(t) && isHidden(k) {
			continue
		}
		if !first {
			e.b = append(e.b, ',')
		}
		first = false
		switch k := k.(type) {
		case lua.LString:
			e.text(string(k))
		case lua.LNumber:
			e.b = append(e.b, '"')
			e.number(float64(k))
			e.b = append(e.b, '"')
		default:
			e.fail(k.Type().String(), "table key must be a number or string")
		}
		e.b = append(e.b, ':')
		e.value(v, depth)
	}
	e.b = append(e.b, '}')
}

func (st *state) jsonDecode(l *lua.LState) int {
	if l.GetTop() != 1 {
		argError(l, 1, "decode", "expected 1 argument")
	}
	s := argString(l, 1, "decode")
	if len(s) >= 2 && (s[0] == 0 || s[1] == 0) {
		raisef(l, "JSON parser does not support UTF-16 or UTF-32")
	}
	d := jsonDecoder{st: st, l: l, s: s}
	d.next()
	v := d.value(0)
	if d.next(); d.token != jsonEnd {
		d.expected("the end")
	}
	l.Push(v)
	return 1
}

// jsonToken is a kind of token, by the name that errors have for it.
type jsonToken string

const (
	jsonObject    jsonToken = "T_OBJ_BEGIN"
	jsonObjectEnd jsonToken = "T_OBJ_END"
	jsonArray     jsonToken = "T_ARR_BEGIN"
	jsonArrayEnd  jsonToken = "T_ARR_END"
	jsonString    jsonToken = "T_STRING"
	jsonNumber    jsonToken = "T_NUMBER"
	jsonBoolean   jsonToken = "T_BOOLEAN"
	jsonNull      jsonToken = "T_NULL"
	jsonColon     jsonToken = "T_COLON"
	jsonComma     jsonToken = "T_COMMA"
	jsonEnd       jsonToken = "T_END"
	jsonError     jsonToken = "T_ERROR"
)

type jsonDecoder struct {
	st     *state
	l      *lua.LState
	s      string
	at     int
	token  jsonToken
	start  int
	text   string // of a string, or what is wrong
	number float64
	truth  bool
}

func (d *jsonDecoder) expected(what string) {
	found := string(d.token)
	if d.token == jsonError {
		found = d.text
	}
	raisef(d.l, "Expected %s but found %s at character %d", what, found, d.start+1)
}

func (d *jsonDecoder) is(t jsonToken, n int) {
	d.token = t
	d.at += n
}

func (d *jsonDecoder) invalid(why string) {
	d.token, d.text = jsonError, why
}

// next reads a token.
func (d *jsonDecoder) next() {
	d.st.budget.spend(d.l, workPerStep)
	for d.at < len(d.s) && strings.IndexByte(" \t\n\r", d.s[d.at]) >= 0 {
		d.at++
	}
	d.start = d.at
	if d.at >= len(d.s) || d.s[d.at] == 0 {
		d.token = jsonEnd
		return
	}
	rest := d.s[d.at:]
	switch c := rest[0]; {
	case c == '{':
		d.is(jsonObject, 1)
	case c == '}':
		d.is(jsonObjectEnd, 1)
	case c == '[':
		d.is(jsonArray, 1)
	case c == ']':
		d.is(jsonArrayEnd, 1)
	case c == ':':
		d.is(jsonColon, 1)
	case c == ',':
		d.is(jsonComma, 1)
	case c == '"':
		d.readString()
	case c == '-' || c >= '0' && c <= '9':
		d.readNumber(rest)
	case strings.HasPrefix(rest, "true"):
		d.truth = true
		d.is(jsonBoolean, 4)
	case strings.HasPrefix(rest, "false"):
		d.truth = false
		d.is(jsonBoolean, 5)
	case strings.HasPrefix(rest, "null"):
		d.is(jsonNull, 4)
	case d.st.json.decodeInvalid && isOddNumber(rest):
		d.readNumber(rest)
	default:
		d.invalid("invalid token")
	}
}

// isOddNumber reports whether a number begins that JSON doesn't know.
func isOddNumber(s string) bool {
	sign := len(s) > 0 && s[0] == '+'
	s = strings.ToLower(strings.TrimLeft(s[:min(len(s), 4)], "+-"))
	if len(s) > 0 && s[0] >= '0' && s[0] <= '9' && sign {
		return true
	}
	return strings.HasPrefix(s, "inf") || strings.HasPrefix(s, "nan") || len(s) > 1 && s[0] == '0' && (s[1] == 'x' || s[1] >= '0' && s[1] <= '9')
}

func (d *jsonDecoder) readNumber(rest string) {
	if !d.st.json.decodeInvalid && isOddNumber(rest) {
		d.invalid("invalid number")
		return
	}
	n := numeralLen(rest)
	f, ok := parseNumber(rest[:n])
	if !ok {
		d.invalid("invalid number")
		return
	}
	d.number = f
	d.is(jsonNumber, n)
}

// numeralLen is the length of the longest numeral that s begins with, as strtod
// sees it.
func numeralLen(s string) int {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	low := strings.ToLower(s[i:min(len(s), i+8)])
	switch {
	case strings.HasPrefix(low, "infinity"):
		return i + 8
	case strings.HasPrefix(low, "inf"), strings.HasPrefix(low, "nan"):
		return i + 3
	case strings.HasPrefix(low, "0x"):
		i += 2
		for i < len(s) && inClass(s[i], 'x') {
			i++
		}
		return i
	}
	digits := func() {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
	}
	digits()
	if i < len(s) && s[i] == '.' {
		i++
		digits()
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		mark := i
		i++
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		from := i
		if digits(); i == from {
			i = mark
		}
	}
	return i
}

func (d *jsonDecoder) readString() {
	i := d.at + 1
	from := i
	for i < len(d.s) && d.s[i] != '"' && d.s[i] != '\\' {
		i++
	}
	if i < len(d.s) && d.s[i] == '"' { // without escapes
		d.st.budget.reserve(d.l, i-from)
		d.text, d.token, d.at = d.s[from:i], jsonString, i+1
		return
	}
	b := []byte(d.s[from:i])
	for i < len(d.s) && d.s[i] != '"' {
		c := d.s[i]
		if c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		if i+1 >= len(d.s) {
			break
		}
		n := 2
		switch e := d.s[i+1]; e {
		case '"', '\\', '/':
			b = append(b, e)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			var r rune
			if r, n = unicodeEscape(d.s[i:]); n == 0 {
				d.start = i
				d.invalid("invalid unicode escape code")
				return
			}
			b = utf8.AppendRune(b, r)
		default:
			d.start = i
			d.invalid("invalid escape code")
			return
		}
		i += n
	}
	if i >= len(d.s) {
		d.start = len(d.s)
		d.invalid("unexpected end of string")
		return
	}
	d.st.budget.reserve(d.l, len(b))
	d.text, d.token, d.at = string(b), jsonString, i+1
}

// unicodeEscape reads \uXXXX, or two of them that belong together, and returns
// how long it is; 0 = invalid.
func unicodeEscape(s string) (rune, int) {
	unit := func(s string) (rune, bool) {
		if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(s[2:6], 16, 16)
		return rune(n), err == nil
	}
	r, ok := unit(s)
	if !ok || r&0xfc00 == 0xdc00 {
		return 0, 0
	}
	if r&0xf800 != 0xd800 {
		return r, 6
	}
	low, ok := unit(s[6:])
	if !ok || low&0xfc00 != 0xdc00 {
		return 0, 0
	}
	return (r&0x3ff)<<10 + low&0x3ff + 0x10000, 12
}

// value turns the token that was read, and what belongs to it, into a value.
func (d *jsonDecoder) value(depth int) lua.LValue {
	switch d.token {
	case jsonString:
		return lua.LString(d.text)
	case jsonNumber:
		return lua.LNumber(d.number)
	case jsonBoolean:
		return lua.LBool(d.truth)
	case jsonNull:
		return d.st.json.null
	case jsonObject, jsonArray:
		if depth >= d.st.json.decodeDepth {
			raisef(d.l, "Found too many nested data structures (%d) at character %d", depth+1, d.start+1)
		}
		d.st.budget.reserve(d.l, 100)
		if d.token == jsonObject {
			return d.object(depth + 1)
		}
		return d.array(depth + 1)
	}
	d.expected("value")
	return nil
}

func (d *jsonDecoder) object(depth int) lua.LValue {
	t := d.l.NewTable()
	if d.next(); d.token == jsonObjectEnd {
		return t
	}
	for {
		if d.token != jsonString {
			d.expected("object key string")
		}
		key := d.text
		if d.next(); d.token != jsonColon {
			d.expected("colon")
		}
		d.next()
		v := d.value(depth)
		d.st.budget.reserve(d.l, 100)
		t.RawSetString(key, v)
		d.next()
		switch d.token {
		case jsonObjectEnd:
			return t
		case jsonComma:
			d.next()
		default:
			d.expected("comma or object end")
		}
	}
}

func (d *jsonDecoder) array(depth int) lua.LValue {
	t := d.l.NewTable()
	if d.next(); d.token == jsonArrayEnd {
		return t
	}
	for i := 1; ; i++ {
		d.st.budget.reserve(d.l, 16)
		t.RawSet(lua.LNumber(i), d.value(depth))
		d.next()
		switch d.token {
		case jsonArrayEnd:
			return t
		case jsonComma:
			d.next()
		default:
			d.expected("comma or array end")
		}
	}
}
