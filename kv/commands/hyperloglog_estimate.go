package commands

import "math"

// hllHistogram is the number of registers of each value.
type hllHistogram [64]int32

// estimate is the number of elements after Otmar Ertl, "New cardinality
// estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284). Products
// are rounded before they are added to anything, so that every machine counts
// the same.
func (n *hllHistogram) estimate() int64 {
	const alpha = 0.721347520444481703680 // 0.5 / ln 2
	const m = float64(hllRegisters)
	z := m * hllTau((m-float64(n[hllRankBits+1]))/m)
	for j := hllRankBits; j >= 1; j-- {
		z += float64(n[j])
		z *= 0.5
	}
	z += float64(m * hllSigma(float64(n[0])/m))
	if e := math.Round(alpha * m * m / z); e < 1<<63 {
		return int64(e)
	}
	return math.MinInt64 // only ranks that no element has
}

func hllSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += float64(x * y)
		y += y
		if before == z {
			return z
		}
	}
}

func hllTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
		if before == z {
			return z / 3
		}
	}
}
