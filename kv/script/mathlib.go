package script

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// luaMod is the operator %: the result has the sign of the divisor.
func luaMod(a, b float64) float64 { return a - math.Floor(a/b)*b }

func luaPow(a, b float64) float64 { return math.Pow(a, b) }

func (st *state) mathLibrary() *lua.LTable {
	one := func(name string, f func(float64) float64) lua.LGFunction {
		return func(l *lua.LState) int {
			l.Push(lua.LNumber(f(argNumber(l, 1, name))))
			return 1
		}
	}
	two := func(name string, f func(a, b float64) float64) lua.LGFunction {
		return func(l *lua.LState) int {
			l.Push(lua.LNumber(f(argNumber(l, 1, name), argNumber(l, 2, name))))
			return 1
		}
	}
	best := func(name string, better func(a, b float64) bool) lua.LGFunction {
		return func(l *lua.LState) int {
			f := argNumber(l, 1, name)
			for i := 2; i <= l.GetTop(); i++ {
				if g := argNumber(l, i, name); better(g, f) {
					f = g
				}
			}
			l.Push(lua.LNumber(f))
			return 1
		}
	}
	t := st.table(library{
		"abs": one("abs", math.Abs), "acos": one("acos", math.Acos), "asin": one("asin", math.Asin), "atan": one("atan", math.Atan),
		"atan2": two("atan2", math.Atan2), "ceil": one("ceil", math.Ceil), "cos": one("cos", math.Cos), "cosh": one("cosh", math.Cosh),
		"deg": one("deg", func(f float64) float64 { return f / (math.Pi / 180) }), "exp": one("exp", math.Exp), "floor": one("floor", math.Floor),
		"fmod": two("fmod", math.Mod), "mod": two("mod", math.Mod), "log": one("log", math.Log), "log10": one("log10", math.Log10),
		"max": best("max", func(a, b float64) bool { return a > b }), "min": best("min", func(a, b float64) bool { return a < b }),
		"pow": two("pow", math.Pow), "rad": one("rad", func(f float64) float64 { return f * (math.Pi / 180) }), "sin": one("sin", math.Sin),
		"sinh": one("sinh", math.Sinh), "sqrt": one("sqrt", math.Sqrt), "tan": one("tan", math.Tan), "tanh": one("tanh", math.Tanh),
		"frexp": func(l *lua.LState) int {
			m, e := math.Frexp(argNumber(l, 1, "frexp"))
			l.Push(lua.LNumber(m))
			l.Push(lua.LNumber(e))
			return 2
		},
		"ldexp": func(l *lua.LState) int {
			l.Push(lua.LNumber(math.Ldexp(argNumber(l, 1, "ldexp"), argInt(l, 2, "ldexp"))))
			return 1
		},
		"modf": func(l *lua.LState) int {
			f := argNumber(l, 1, "modf")
			whole, part := math.Trunc(f), 0.0
			if !math.IsInf(f, 0) {
				part = math.Copysign(f-whole, f)
			}
			l.Push(lua.LNumber(whole))
			l.Push(lua.LNumber(part))
			return 2
		},
		"random": st.mathRandom, "randomseed": st.mathRandomSeed,
	})
	t.RawSetString("pi", lua.LNumber(math.Pi))
	t.RawSetString("huge", lua.LNumber(math.Inf(1)))
	return t
}

// random is the generator of drand48 in the C library, which Redis has scripts
// use: the same seed gives the same numbers everywhere.
type random struct{ x uint64 }

func (r *random) seed(n int32) { r.x = uint64(uint32(n))<<16 + 0x330e }

// next is a whole number of 31 bits.
func (r *random) next() int64 {
	r.x = (r.x*0x5deece66d + 0xb) & (1<<48 - 1)
	return int64(r.x >> 17)
}

func (st *state) mathRandom(l *lua.LState) int {
	if st.host == nil {
		raisef(l, "math.random can only be called inside a script invocation")
	}
	const most = math.MaxInt32
	r := float64(st.random.next()%most) / most
	switch l.GetTop() {
	case 0:
		l.Push(lua.LNumber(r))
	case 1:
		to := argInt(l, 1, "random")
		if to < 1 {
			argError(l, 1, "random", "interval is empty")
		}
		l.Push(lua.LNumber(math.Floor(r*float64(to)) + 1))
	case 2:
		from, to := argInt(l, 1, "random"), argInt(l, 2, "random")
		if from > to {
			argError(l, 2, "random", "interval is empty")
		}
		l.Push(lua.LNumber(math.Floor(r*float64(to-from+1)) + float64(from)))
	default:
		raisef(l, "wrong number of arguments")
	}
	return 1
}

func (st *state) mathRandomSeed(l *lua.LState) int {
	if st.host == nil {
		raisef(l, "math.randomseed can only be called inside a script invocation")
	}
	st.random.seed(int32(argInt(l, 1, "randomseed")))
	return 0
}
