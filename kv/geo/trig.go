package geo

import "math"

// double is a sum of two doubles of which the second is at most half a unit in the
// last place of the first.
type double struct{ hi, lo float64 }

// twoSum is the exact sum of two numbers.
func twoSum(a, b float64) double {
	s := a + b
	t := s - a
	return double{s, (a - (s - t)) + (b - t)}
}

// quickSum is twoSum for |a| >= |b|.
func quickSum(a, b float64) double {
	s := a + b
	return double{s, b - (s - a)}
}

// twoProduct is the exact product of two numbers.
func twoProduct(a, b float64) double {
	p := float64(a * b)
	return double{p, math.FMA(a, b, -p)}
}

func (a double) plus(b double) double {
	s := twoSum(a.hi, b.hi)
	return quickSum(s.hi, s.lo+a.lo+b.lo)
}

func (a double) times(b double) double {
	p := twoProduct(a.hi, b.hi)
	return quickSum(p.hi, p.lo+float64(a.hi*b.lo)+float64(a.lo*b.hi))
}

// Half of pi in three parts.
const (
	halfPi    = 1.5707963267948966
	halfPiLo  = 6.123233995736766e-17
	halfPiEnd = -1.4973849048591833e-33
)

// maxTurns bounds the quarter turns that reduce takes off without losing bits that
// matter; nobody has positions beyond.
const maxTurns = 1 << 20

// reduce takes whole quarter turns off an angle: what is left is between -pi/4
// and pi/4.
func reduce(x float64) (quarter int, rest double) {
	if math.Abs(x) < halfPi/2 {
		return 0, double{hi: x}
	}
	k := math.RoundToEven(x / halfPi)
	p := twoProduct(k, halfPi)
	s := twoSum(x, -p.hi)
	q := twoProduct(k, halfPiLo)
	r := twoSum(s.hi, -q.hi)
	low := s.lo - p.lo + r.lo - q.lo - float64(k*halfPiEnd)
	return int(k) & 3, quickSum(r.hi, low)
}

// smallSin is the sine of an angle between -pi/4 and pi/4. The first terms of the
// series need the double precision, the others are small.
func smallSin(r double) double {
	z := r.times(r)
	cube := r.times(z).times(double{-1.0 / 6, -9.25185853854297e-18})
	x := z.hi
	rest := float64(r.hi * float64(x*x))
	rest *= 1.0/120 - x*(1.0/5040-x*(1.0/362880-x*(1.0/39916800-x*(1.0/6227020800-x*(1.0/1307674368000-x/355687428096000)))))
	return r.plus(quickSum(cube.hi, cube.lo+rest))
}

// smallCos is the cosine of an angle between -pi/4 and pi/4.
func smallCos(r double) double {
	z := r.times(r)
	fourth := z.times(z).times(double{1.0 / 24, 2.312964634635743e-18})
	x := z.hi
	rest := float64(x * float64(x*x))
	rest *= -1.0/720 + x*(1.0/40320-x*(1.0/3628800-x*(1.0/479001600-x*(1.0/87178291200-x*(1.0/20922789888000-x/6402373705728000)))))
	half := double{-z.hi / 2, -z.lo / 2}
	return double{hi: 1}.plus(half).plus(quickSum(fourth.hi, fourth.lo+rest))
}

func preciseSin(x float64) double {
	quarter, r := reduce(x)
	switch quarter {
	case 0:
		return smallSin(r)
	case 1:
		return smallCos(r)
	case 2:
		s := smallSin(r)
		return double{-s.hi, -s.lo}
	}
	s := smallCos(r)
	return double{-s.hi, -s.lo}
}

// sin is the sine, rounded to nearest but for one in some hundreds.
func sin(x float64) float64 {
	if math.Abs(x) < 1e-8 || !(math.Abs(x) < maxTurns) {
		return math.Sin(x)
	}
	return preciseSin(x).hi
}

// cos is the cosine, rounded to nearest but for one in some hundreds.
func cos(x float64) float64 {
	if !(math.Abs(x) < maxTurns) {
		return math.Cos(x)
	}
	quarter, r := reduce(x)
	var c double
	switch quarter {
	case 0:
		c = smallCos(r)
	case 1:
		c = smallSin(double{-r.hi, -r.lo})
	case 2:
		c = smallCos(r)
		return -c.hi
	default:
		c = smallSin(r)
	}
	return c.hi
}

// steep is where the arc sine becomes so steep that it is computed by its
// complement.
const steep = 0.9

// asin is the arc sine of a number from 0 to 1, rounded to nearest but for one in
// some hundreds; NaN beyond.
func asin(x float64) float64 {
	switch {
	case !(x <= 1) || x < 1e-8:
		return math.Asin(x)
	case x < steep:
		return improve(math.Asin(x), double{hi: x}).hi
	}
	// asin x = pi/2 - 2 asin(sqrt((1-x)/2))
	half := (1 - x) / 2
	root := math.Sqrt(half)
	if root == 0 {
		return halfPi
	}
	y := improve(math.Asin(root), double{root, math.FMA(-root, root, half) / (2 * root)})
	return double{halfPi, halfPiLo}.plus(double{-2 * y.hi, -2 * y.lo}).hi
}

// improve is one step of Newton's method towards the arc sine of x. The slope is
// the cosine.
func improve(y float64, x double) double {
	s := preciseSin(y)
	return quickSum(y, ((x.hi-s.hi)+(x.lo-s.lo))/math.Sqrt((1-x.hi)*(1+x.hi)))
}
