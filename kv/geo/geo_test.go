package geo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"conclave/kv/geo"
)

func randomPoint(rng *rand.Rand) geo.Point {
	return geo.Point{
		Longitude: geo.MinLongitude + rng.Float64()*(geo.MaxLongitude-geo.MinLongitude),
		Latitude:  geo.MinLatitude + rng.Float64()*(geo.MaxLatitude-geo.MinLatitude),
	}
}

// A score is as near to its position as its bits allow, and means the same
// position for ever.
func TestScoresOfPoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		p := randomPoint(rng)
		s := geo.Score(p)
		q := geo.FromScore(s)
		if math.Abs(p.Longitude-q.Longitude) > 360.0/(1<<26) || math.Abs(p.Latitude-q.Latitude) > 171.0/(1<<26) {
			t.Errorf("%v became %v", p, q)
		}
		if geo.Score(q) != s {
			t.Errorf("%v has score %v, and then %v", p, s, geo.Score(q))
		}
	}
	palermo := geo.Point{Longitude: 13.361389, Latitude: 38.115556}
	if s := geo.Score(palermo); s != 3479099956230698 {
		t.Errorf("Palermo has score %.0f", s)
	}
	if h := geo.AppendHash(nil, geo.FromScore(3479099956230698)); string(h) != "sqc8b49rny0" {
		t.Errorf("Palermo is at %s", h)
	}
	// Scores that no position has are positions nevertheless.
	for _, s := range []float64{-1, math.Inf(1), math.Inf(-1), 1e300, -1e300, 1 << 62, 1 << 63, 0.5} {
		if p := geo.FromScore(s); !p.Valid() {
			t.Errorf("score %v is %v", s, p)
		}
	}
}

// A search finds every position in its shape.
func TestCellsCoverShapes(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		s := geo.Shape{Center: randomPoint(rng), Unit: 1}
		// Beyond some thousand kilometers cells are all there are; close to the
		// poles Redis misses positions, and so do we.
		s.Center.Latitude *= 0.7
		s.Center.Longitude *= 0.7
		size := math.Exp(rng.Float64() * 13)
		s.Radius = size
		if s.IsBox = rng.IntN(2) == 0; s.IsBox {
			s.Width, s.Height = size*rng.Float64(), size*rng.Float64()
		}
		cells := s.Cells()
		for range 200 {
			scale := size / 111_000
			p := geo.Point{
				Longitude: s.Center.Longitude + (rng.Float64()-0.5)*3*scale,
				Latitude:  s.Center.Latitude + (rng.Float64()-0.5)*3*scale,
			}
			if !p.Valid() {
				continue
			}
			score := geo.Score(p)
			p = geo.FromScore(score)
			d, in := s.Distance(p)
			if want := geo.Distance(s.Center, p); in && d != want || !s.IsBox && in != (want <= s.Radius) {
				t.Errorf("%+v: %v is at %v, %v; want %v", s, p, d, in, want)
			}
			covered := false
			for _, c := range cells {
				from, to := c.Scores()
				covered = covered || score >= from && score < to
			}
			if in && !covered {
				t.Errorf("%+v: %v is in no cell", s, p)
			}
		}
	}
}

func BenchmarkSearchedPoint(b *testing.B) {
	s := geo.Shape{Center: geo.Point{Longitude: 13.361389, Latitude: 38.115556}, Radius: 100_000, Unit: 1}
	p := geo.Point{Longitude: 15.087269, Latitude: 37.502669}
	for b.Loop() {
		s.Distance(p)
	}
}
