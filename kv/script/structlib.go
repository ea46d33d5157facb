package script

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// structLibrary packs values as C structures. Sizes are those of 64-bit
// processors, which are little-endian unless the format says otherwise.
func (st *state) structLibrary() library {
	return library{"pack": st.structPack, "unpack": st.structUnpack, "size": structSize}
}

const maxStructInt = 32

// layout goes through a format.
type layout struct {
	l      *lua.LState
	format string
	big    bool
	align  int
	fn     string
}

func newLayout(l *lua.LState, fn string) *layout {
	return &layout{l: l, format: argString(l, 1, fn), align: 1, fn: fn}
}

// number reads the digits that follow, if there are any.
func (y *layout) number(def int) int {
	n, digits := 0, 0
	for digits < len(y.format) && y.format[digits] >= '0' && y.format[digits] <= '9' {
		n = 10*n + int(y.format[digits]-'0')
		if digits++; n > math.MaxInt32 {
			raisef(y.l, "integral size overflow")
		}
	}
	if digits == 0 {
		return def
	}
	y.format = y.format[digits:]
	return n
}

// next is the next item and its size; ok is false at the end.
func (y *layout) next() (option byte, size int, ok bool) {
	for y.format != "" {
		option = y.format[0]
		y.format = y.format[1:]
		switch option {
		case 'b', 'B', 'x':
			return option, 1, true
		case 'h', 'H':
			return option, 2, true
		case 'l', 'L', 'T', 'd':
			return option, 8, true
		case 'f':
			return option, 4, true
		case 'c':
			return option, y.number(1), true
		case 's':
			return option, 0, true
		case 'i', 'I':
			size = y.number(4)
			if size > maxStructInt {
				raisef(y.l, "integral size %d is larger than limit of %d", size, maxStructInt)
			}
			return option, size, true
		case ' ':
		case '>':
			y.big = true
		case '<':
			y.big = false
		case '!':
			y.align = y.number(8)
			if y.align == 0 || y.align&(y.align-1) != 0 {
				raisef(y.l, "alignment %d is not a power of 2", y.align)
			}
		default:
			argError(y.l, 1, y.fn, fmt.Sprintf("invalid format option '%c'", option))
		}
	}
	return 0, 0, false
}

// gap is the padding before an item at a position.
func (y *layout) gap(at int, option byte, size int) int {
	if size == 0 || option == 'c' {
		return 0
	}
	size = min(size, y.align)
	return (size - at&(size-1)) & (size - 1)
}

func (st *state) structPack(l *lua.LState) int {
	y := newLayout(l, "pack")
	l.Push(lua.LNil) // what is missing is nil to Redis's library
	var b []byte
	arg := 1
	for {
		option, size, ok := y.next()
		if !ok {
			break
		}
		b = append(b, make([]byte, y.gap(len(b), option, size))...)
		before := len(b)
		if option == 'x' {
			b = append(b, 0)
			continue
		}
		arg++
		switch option {
		case 's', 'c':
			s := argString(l, arg, "pack")
			if size == 0 {
				size = len(s)
			}
			if len(s) < size {
				argError(l, arg+1, "pack", "string too short")
			}
			st.budget.reserve(l, size)
			b = append(b, s[:size]...)
			if option == 's' {
				b = append(b, 0)
			}
		case 'f':
			n := math.Float32bits(float32(argNumber(l, arg, "pack")))
			b = y.order().AppendUint32(b, n)
		case 'd':
			b = y.order().AppendUint64(b, math.Float64bits(argNumber(l, arg, "pack")))
		default:
			b = y.appendInt(b, argNumber(l, arg, "pack"), size)
		}
		if int64(len(b)) > st.budget.maxMemory/2 {
			raisef(l, errMemory)
		}
		st.budget.spend(l, workPerStep+len(b)-before)
	}
	l.Push(lua.LString(b))
	return 1
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func (y *layout) order() byteOrder {
	if y.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (y *layout) appendInt(b []byte, f float64, size int) []byte {
	n := uint64(toInt64(f))
	if f >= math.MaxInt64 && f < math.MaxUint64 {
		n = uint64(f)
	}
	from := len(b)
	for range size {
		b = append(b, byte(n))
		n >>= 8 // beyond eight bytes there is nothing
	}
	if y.big {
		for i, j := from, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
	return b
}

func (y *layout) readInt(s string, signed bool) float64 {
	n := uint64(0)
	for i := range len(s) {
		c := s[len(s)-1-i]
		if y.big {
			c = s[i]
		}
		n = n<<8 | uint64(c)
	}
	if !signed {
		return float64(n)
	}
	if bits := 8 * len(s); bits < 64 && bits > 0 {
		return float64(int64(n<<(64-bits)) >> (64 - bits))
	}
	return float64(int64(n))
}

func (st *state) structUnpack(l *lua.LState) int {
	y := newLayout(l, "unpack")
	data := argString(l, 2, "unpack")
	at := optInt(l, 3, "unpack", 1)
	if at < 1 {
		argError(l, 3, "unpack", "offset must be 1 or greater")
	}
	at--
	n := 0
	for {
		option, size, ok := y.next()
		if !ok {
			break
		}
		at += y.gap(at, option, size)
		if size > len(data) || at > len(data)-size {
			argError(l, 2, "unpack", "data string too short")
		}
		if n > maxUnpack {
			raisef(l, "too many results to unpack")
		}
		st.budget.spend(l, workPerStep)
		item := data[at : at+size]
		switch option {
		case 'x':
			at += size
			continue
		case 'b', 'h', 'l', 'i':
			l.Push(lua.LNumber(y.readInt(item, true)))
		case 'B', 'H', 'L', 'T', 'I':
			l.Push(lua.LNumber(y.readInt(item, false)))
		case 'f':
			l.Push(lua.LNumber(math.Float32frombits(y.order().Uint32([]byte(item)))))
		case 'd':
			l.Push(lua.LNumber(math.Float64frombits(y.order().Uint64([]byte(item)))))
		case 'c':
			if size == 0 {
				f, isNumber := toNumber(l.Get(-1))
				if n == 0 || !isNumber {
					raisef(l, "format 'c0' needs a previous size")
				}
				l.Pop(1)
				n--
				if size = toInt(f); size < 0 || size > len(data) || at > len(data)-size {
					argError(l, 2, "unpack", "data string too short")
				}
				item = data[at : at+size]
			}
			l.Push(lua.LString(item))
		case 's':
			size = strings.IndexByte(data[at:], 0)
			if size < 0 {
				raisef(l, "unfinished string in data")
			}
			l.Push(lua.LString(data[at : at+size]))
			size++
		}
		at += size
		n++
	}
	l.Push(lua.LNumber(at + 1))
	return n + 1
}

func structSize(l *lua.LState) int {
	y := newLayout(l, "size")
	at := 0
	for {
		option, size, ok := y.next()
		if !ok {
			break
		}
		at += y.gap(at, option, size)
		switch {
		case option == 's':
			argError(l, 1, "size", "option 's' has no fixed size")
		case option == 'c' && size == 0:
			argError(l, 1, "size", "option 'c0' has no fixed size")
		case size > math.MaxInt32-at:
			raisef(l, "integral size overflow")
		}
		at += size
	}
	l.Push(lua.LNumber(at))
	return 1
}
