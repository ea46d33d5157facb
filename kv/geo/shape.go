package geo

import "math"

// Shape is the area of a search: a circle around its center, or a box whose sides
// run along meridians and parallels. It must not be changed after the first call of
// a method, and is for one goroutine.
type Shape struct {
	Center Point
	// Radius of a circle; Width and Height of a box. They are in units of Unit
	// meters.
	Radius        float64
	Width, Height float64
	IsBox         bool
	Unit          float64

	// What Distance needs at every point.
	ready  bool
	cosine float64 // of the center's latitude
	limit  float64 // beyond is true for haversines above
}

// Distance is how far a point is from the center, in meters; ok is false if it is
// outside.
func (s *Shape) Distance(p Point) (d float64, ok bool) {
	if !s.ready {
		s.prepare()
	}
	if !s.IsBox {
		if s.beyond(p) {
			return 0, false
		}
		d = distance(s.Center, p, s.cosine)
		return d, !(d > s.Radius*s.Unit)
	}
	if latitudeDistance(p.Latitude, s.Center.Latitude) > s.Height*s.Unit/2 {
		return 0, false
	}
	if Distance(p, Point{s.Center.Longitude, p.Latitude}) > s.Width*s.Unit/2 {
		return 0, false
	}
	return distance(s.Center, p, s.cosine), true
}

func (s *Shape) prepare() {
	s.ready = true
	s.cosine = cos(radians(s.Center.Latitude))
	s.limit = math.Inf(1)
	if reach := s.Radius * s.Unit / (2 * earthRadius); reach < math.Pi/2 {
		h := math.Sin(reach)
		s.limit = h*h*(1+1e-9) + 1e-18
	}
}

// beyond reports whether a point is clearly outside of the circle: most of those
// that a search looks at are. It takes a fraction of the time of Distance.
func (s *Shape) beyond(p Point) bool {
	u := math.Sin((radians(p.Latitude) - radians(s.Center.Latitude)) / 2)
	if u*u > s.limit {
		return true
	}
	v := math.Sin((radians(p.Longitude) - radians(s.Center.Longitude)) / 2)
	return u*u+s.cosine*math.Cos(radians(p.Latitude))*v*v > s.limit
}

// extent is the ranges of coordinates around the shape.
func (s *Shape) extent() (longitude, latitude span) {
	height, width := s.Unit*s.Radius, s.Unit*s.Radius
	if s.IsBox {
		height, width = s.Unit*(s.Height/2), s.Unit*(s.Width/2)
	}
	lon, lat := s.Center.Longitude, s.Center.Latitude
	north := degrees(height / earthRadius)
	// The arc is longest at the side away from the equator.
	away := lat + north
	if lat < 0 {
		away = lat - north
	}
	east := degrees(width / earthRadius / cos(radians(away)))
	return span{lon - east, lon + east}, span{lat - north, lat + north}
}

// worldWidth is half of the equator in the Mercator projection, in meters.
const worldWidth = 20037726.37

// step is the step of cells so large that nine of them should cover the shape.
func (s *Shape) step() uint8 {
	reach := s.Radius
	if s.IsBox {
		w, h := s.Width/2, s.Height/2
		reach = math.Sqrt(float64(w*w) + float64(h*h))
	}
	reach *= s.Unit
	if reach == 0 {
		return maxStep
	}
	step := -1
	for ; reach < worldWidth; reach *= 2 {
		step++
	}
	// Towards the poles the cells get narrower.
	switch lat := math.Abs(s.Center.Latitude); {
	case lat > 80:
		step -= 2
	case lat > 66:
		step--
	}
	return uint8(min(max(step, 1), maxStep))
}

// minTrim is the step from which on neighbors are left out: before, they are not
// different cells.
const minTrim = 2

// Cells are those that cover the shape, in the order in which Redis looks at them:
// the one of the center, and of its neighbors those that are needed. A cell may be
// there more than once if it is so large that it lies on both sides.
func (s *Shape) Cells() (cells []Cell) {
	lon, lat := s.extent()
	step := s.step()
	center := cellOf(s.Center, longitudes(), latitudes(), step)
	if step > 1 && !center.reaches(lon, lat) {
		step--
		center = cellOf(s.Center, longitudes(), latitudes(), step)
	}
	x, y := center.bounds()
	cells = append(cells, center)
	directions := [...]struct{ east, north int }{
		{0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1},
	}
	for _, d := range directions {
		if step >= minTrim && (d.north < 0 && y.min < lat.min || d.north > 0 && y.max > lat.max ||
			d.east < 0 && x.min < lon.min || d.east > 0 && x.max > lon.max) {
			continue
		}
		c := center.neighbor(d.east, d.north)
		if len(cells) > 1 && c == cells[len(cells)-1] {
			continue
		}
		cells = append(cells, c)
	}
	return cells
}

// reaches reports whether a cell's neighbors reach to the ends of both ranges.
func (c Cell) reaches(longitude, latitude span) bool {
	_, north := c.neighbor(0, 1).bounds()
	_, south := c.neighbor(0, -1).bounds()
	east, _ := c.neighbor(1, 0).bounds()
	west, _ := c.neighbor(-1, 0).bounds()
	return !(north.max < latitude.max || south.min > latitude.min || east.max < longitude.max || west.min > longitude.min)
}
