package geo

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

const bigPrec = 300

func bigOf(x float64) *big.Float { return new(big.Float).SetPrec(bigPrec).SetFloat64(x) }

// bigSeries is the sine of x, or with odd unset the cosine, by its series.
func bigSeries(x *big.Float, odd bool) *big.Float {
	square := new(big.Float).SetPrec(bigPrec).Mul(x, x)
	term, n := bigOf(1), 0
	if odd {
		term, n = new(big.Float).SetPrec(bigPrec).Set(x), 1
	}
	sum := bigOf(0)
	for range 40 {
		sum.Add(sum, term)
		term.Mul(term, square)
		term.Quo(term, bigOf(-float64((n+1)*(n+2))))
		n += 2
	}
	return sum
}

// bigAsin is the arc sine by Newton's method.
func bigAsin(x float64) *big.Float {
	y := bigOf(math.Asin(x))
	for range 4 {
		d := new(big.Float).SetPrec(bigPrec).Sub(bigOf(x), bigSeries(y, true))
		y.Add(y, d.Quo(d, bigSeries(y, false)))
	}
	return y
}

// What is computed is the value that is nearest, nearly always, and else the next
// one.
func TestPreciseFunctions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const tries = 400
	for name, f := range map[string]struct {
		ours func(float64) float64
		want func(float64) *big.Float
		draw func() float64
	}{
		"sin":        {sin, func(x float64) *big.Float { return bigSeries(bigOf(x), true) }, func() float64 { return (rng.Float64() - 0.5) * 2 * math.Pi }},
		"small sin":  {sin, func(x float64) *big.Float { return bigSeries(bigOf(x), true) }, func() float64 { return math.Exp(-15 * rng.Float64()) }},
		"cos":        {cos, func(x float64) *big.Float { return bigSeries(bigOf(x), false) }, func() float64 { return (rng.Float64() - 0.5) * 3 }},
		"asin":       {asin, bigAsin, rng.Float64},
		"small asin": {asin, bigAsin, func() float64 { return math.Exp(-15 * rng.Float64()) }},
		"steep asin": {asin, bigAsin, func() float64 { return 1 - 0.1*math.Exp(-10*rng.Float64()) }},
	} {
		off := 0
		for range tries {
			x := f.draw()
			want, _ := f.want(x).Float64()
			switch got := f.ours(x); got {
			case want:
			case math.Nextafter(want, 2), math.Nextafter(want, -2):
				off++
			default:
				t.Errorf("%s of %v: %v, want %v", name, x, got, want)
			}
		}
		if off > tries/100 {
			t.Errorf("%s is off by one place in %d of %d cases", name, off, tries)
		}
	}
}

func TestFunctionsAtTheEdges(t *testing.T) {
	for _, tc := range []struct {
		name string
		f    func(float64) float64
		x, y float64
	}{
		{"sin", sin, 0, 0}, {"sin", sin, math.Pi / 2, 1}, {"sin", sin, 1e-300, 1e-300}, {"sin", sin, math.Inf(1), math.NaN()},
		{"cos", cos, 0, 1}, {"cos", cos, math.Inf(1), math.NaN()}, {"cos", cos, math.NaN(), math.NaN()},
		{"asin", asin, 0, 0}, {"asin", asin, 1, math.Pi / 2}, {"asin", asin, 1.0000001, math.NaN()}, {"asin", asin, math.NaN(), math.NaN()},
	} {
		if got := tc.f(tc.x); got != tc.y && !(math.IsNaN(got) && math.IsNaN(tc.y)) {
			t.Errorf("%s %v = %v, want %v", tc.name, tc.x, got, tc.y)
		}
	}
}

func BenchmarkDistance(b *testing.B) {
	a, c := Point{13.361389, 38.115556}, Point{15.087269, 37.502669}
	var sum float64
	for b.Loop() {
		sum += Distance(a, c)
	}
	_ = sum
}
