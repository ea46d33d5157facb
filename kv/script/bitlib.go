package script

import (
	"fmt"
	"math"
	"math/bits"

	lua "github.com/yuin/gopher-lua"
)

// bitLibrary is BitOp's: operations on 32 bits, with signed results.
func (st *state) bitLibrary() library {
	fold := func(name string, f func(a, b uint32) uint32) lua.LGFunction {
		return func(l *lua.LState) int {
			n := argBits(l, 1, name)
			for i := 2; i <= l.GetTop(); i++ {
				n = f(n, argBits(l, i, name))
			}
			return pushBits(l, n)
		}
	}
	shift := func(name string, f func(n uint32, by int) uint32) lua.LGFunction {
		return func(l *lua.LState) int {
			return pushBits(l, f(argBits(l, 1, name), int(argBits(l, 2, name)&31)))
		}
	}
	one := func(name string, f func(uint32) uint32) lua.LGFunction {
		return func(l *lua.LState) int { return pushBits(l, f(argBits(l, 1, name))) }
	}
	return library{
		"tobit":   one("tobit", func(n uint32) uint32 { return n }),
		"bnot":    one("bnot", func(n uint32) uint32 { return ^n }),
		"bswap":   one("bswap", bits.ReverseBytes32),
		"band":    fold("band", func(a, b uint32) uint32 { return a & b }),
		"bor":     fold("bor", func(a, b uint32) uint32 { return a | b }),
		"bxor":    fold("bxor", func(a, b uint32) uint32 { return a ^ b }),
		"lshift":  shift("lshift", func(n uint32, by int) uint32 { return n << by }),
		"rshift":  shift("rshift", func(n uint32, by int) uint32 { return n >> by }),
		"arshift": shift("arshift", func(n uint32, by int) uint32 { return uint32(int32(n) >> by) }),
		"rol":     shift("rol", func(n uint32, by int) uint32 { return bits.RotateLeft32(n, by) }),
		"ror":     shift("ror", func(n uint32, by int) uint32 { return bits.RotateLeft32(n, -by) }),
		"tohex":   toHex,
	}
}

func argBits(l *lua.LState, i int, fn string) uint32 {
	f := argNumber(l, i, fn)
	if f != f || math.IsInf(f, 0) {
		return 0
	}
	return uint32(int64(math.Mod(math.RoundToEven(f), 1<<32)))
}

func pushBits(l *lua.LState, n uint32) int {
	l.Push(lua.LNumber(int32(n)))
	return 1
}

func toHex(l *lua.LState) int {
	n, digits := argBits(l, 1, "tohex"), 8
	if l.GetTop() > 1 {
		digits = int(int32(argBits(l, 2, "tohex")))
	}
	format := "%08x"
	if digits < 0 {
		format = "%08X"
		digits = -max(digits, -8)
	}
	s := fmt.Sprintf(format, n)
	l.Push(lua.LString(s[8-min(digits, 8):]))
	return 1
}
