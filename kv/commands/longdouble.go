package commands

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
)

// INCRBYFLOAT computes in the C type long double, which on the machines that
// Redis runs on is the 80-bit format of x87: 64 bits of mantissa. Clients see
// its digits, so the same precision is used here.
const (
	longDoubleBits   = 64
	longDoubleMaxExp = 16384  // values are below 2^16384
	longDoubleMinExp = -16445 // the smallest denormal is 2^-16445
	longDoubleText   = 5 * 1024
)

// parseLongDouble reads what C's strtold reads, to the end: decimal and
// hexadecimal floats and infinities, but no NaN and no leading space, and
// nothing whose magnitude the format can't hold.
func parseLongDouble(b []byte) (*big.Float, bool) {
	if len(b) == 0 || len(b) >= longDoubleText {
		return nil, false
	}
	s := string(b)
	neg := s[0] == '-'
	if neg || s[0] == '+' {
		s = s[1:]
	}
	s = strings.ToLower(s)
	if s == "inf" || s == "infinity" {
		return new(big.Float).SetPrec(longDoubleBits).SetInf(neg), true
	}
	base, point := 10, byte('e')
	if strings.HasPrefix(s, "0x") {
		base, point, s = 16, 'p', s[2:]
	}
	mantissa, exp, ok := cutExponent(s, point)
	if !ok {
		return nil, false
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+frac, "0")
	if len(whole)+len(frac) == 0 || !allDigits(whole, base) || !allDigits(frac, base) {
		return nil, false
	}
	if digits == "" {
		z := new(big.Float).SetPrec(longDoubleBits)
		if neg {
			z.Neg(z)
		}
		return z, true
	}
	f, ok := scale(digits, base, exp, len(frac))
	if !ok {
		return nil, false
	}
	if neg {
		f.Neg(f)
	}
	return f, true
}

// cutExponent splits an exponent off. One too long for any use becomes a value
// that is out of range whatever the mantissa.
func cutExponent(s string, mark byte) (mantissa string, exp int, ok bool) {
	i := strings.IndexByte(s, mark)
	if i < 0 {
		return s, 0, true
	}
	mantissa, e := s[:i], s[i+1:]
	digits := strings.TrimLeft(e, "+-")
	if digits == "" || len(e)-len(digits) > 1 || !allDigits(digits, 10) {
		return "", 0, false
	}
	const huge = 100000
	exp, err := strconv.Atoi(digits)
	if err != nil || exp > huge {
		exp = huge
	}
	if e[0] == '-' {
		exp = -exp
	}
	return mantissa, exp, true
}

func allDigits(s string, base int) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (base != 16 || c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// scale rounds digits * base^-frac * (10 or 2)^exp to a long double. Numbers
// that are out of range are told by their magnitude, before anything of that
// magnitude is computed.
func scale(digits string, base, exp, frac int) (*big.Float, bool) {
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, false
	}
	f := new(big.Float).SetPrec(longDoubleBits).SetMode(big.ToNearestEven)
	if base == 16 {
		f.SetInt(n)
		return inRange(f.SetMantExp(f, exp-4*frac))
	}
	exp -= frac
	if m := len(digits) + exp; m > 4940 || m < -4960 {
		return nil, false
	}
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exp, -exp))), nil)
	if exp >= 0 {
		f.SetInt(n.Mul(n, p))
	} else {
		f.SetRat(new(big.Rat).SetFrac(n, p))
	}
	return inRange(f)
}

func inRange(f *big.Float) (*big.Float, bool) {
	e := f.MantExp(nil)
	return f, e <= longDoubleMaxExp && e > longDoubleMinExp
}

// addLongDouble adds; ok is false if the sum is no finite number.
func addLongDouble(a, b *big.Float) (sum *big.Float, ok bool) {
	if a.IsInf() || b.IsInf() {
		return nil, false
	}
	sum = new(big.Float).SetPrec(longDoubleBits).SetMode(big.ToNearestEven).Add(a, b)
	return sum, sum.MantExp(nil) <= longDoubleMaxExp
}

// appendLongDouble prints as C's %.17Lf, without trailing zeros.
func appendLongDouble(b []byte, f *big.Float) []byte {
	b = f.Append(b, 'f', 17)
	b = bytes.TrimRight(b, "0")
	b = bytes.TrimSuffix(b, []byte("."))
	if string(b) == "-0" {
		return b[1:]
	}
	return b
}
