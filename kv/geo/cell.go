package geo

import "math"

// The ranges of coordinates, in degrees.
const (
	MinLongitude = -180
	MaxLongitude = 180
	MinLatitude  = -85.05112878
	MaxLatitude  = 85.05112878
)

// Point is a position in degrees.
type Point struct{ Longitude, Latitude float64 }

// Valid reports whether both coordinates are in range.
func (p Point) Valid() bool {
	return p.Longitude >= MinLongitude && p.Longitude <= MaxLongitude && p.Latitude >= MinLatitude && p.Latitude <= MaxLatitude
}

// maxStep is the step of the cells that are kept as scores.
const maxStep = 26

// Cell is a square of the grid. The zero value is none.
type Cell struct {
	bits uint64
	step uint8
}

// span is a range of a coordinate.
type span struct{ min, max float64 }

// fraction is where in the range v lies, in units of 2^-step of it.
func (s span) fraction(v float64, step uint8) uint32 {
	f := (v - s.min) / (s.max - s.min)
	return uint32(f * float64(uint64(1)<<step))
}

// at is the lower bound of the i-th of 2^step parts of the range.
func (s span) at(i uint32, step uint8) float64 {
	return s.min + float64(float64(i)/float64(uint64(1)<<step)*(s.max-s.min))
}

// The world as scores see it.
func longitudes() span { return span{MinLongitude, MaxLongitude} }
func latitudes() span  { return span{MinLatitude, MaxLatitude} }

// cellOf is the cell of a step in which a point lies.
func cellOf(p Point, longitude, latitude span, step uint8) Cell {
	return Cell{join(longitude.fraction(p.Longitude, step), latitude.fraction(p.Latitude, step)), step}
}

// join interleaves bits, those of the longitude at the odd places.
func join(longitude, latitude uint32) uint64 { return spread(longitude)<<1 | spread(latitude) }

// split undoes join.
func split(bits uint64) (longitude, latitude uint32) { return gather(bits >> 1), gather(bits) }

// spread puts a zero above each bit.
func spread(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

// gather drops every second bit.
func gather(x uint64) uint32 {
	x &= 0x5555555555555555
	x = (x | x>>1) & 0x3333333333333333
	x = (x | x>>2) & 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

// bounds are the ranges that a cell covers.
func (c Cell) bounds() (longitude, latitude span) {
	x, y := split(c.bits)
	lon, lat := longitudes(), latitudes()
	return span{lon.at(x, c.step), lon.at(x+1, c.step)}, span{lat.at(y, c.step), lat.at(y+1, c.step)}
}

// neighbor is the cell so many cells to the east and to the north, around the
// edges of the world.
func (c Cell) neighbor(east, north int) Cell {
	x, y := split(c.bits)
	mask := uint32(1)<<c.step - 1
	if east != 0 {
		x = (x + uint32(east)) & mask
	}
	if north != 0 {
		y = (y + uint32(north)) & mask
	}
	return Cell{join(x, y), c.step}
}

// Scores are the lowest score in the cell and the lowest behind it.
func (c Cell) Scores() (from, to float64) {
	shift := 2 * (maxStep - c.step)
	return float64(c.bits << shift), float64((c.bits + 1) << shift)
}

// Score is the score of a valid point.
func Score(p Point) float64 {
	return float64(cellOf(p, longitudes(), latitudes(), maxStep).bits)
}

// FromScore is the middle of the smallest cell with a score.
func FromScore(score float64) Point {
	lon, lat := Cell{scoreBits(score), maxStep}.bounds()
	return Point{
		min(max((lon.min+lon.max)/2, MinLongitude), MaxLongitude),
		min(max((lat.min+lat.max)/2, MinLatitude), MaxLatitude),
	}
}

// scoreBits is a score as an integer, also if it is none that Score makes.
func scoreBits(score float64) uint64 {
	const top = 1 << 63
	if score < top {
		return uint64(int64(score))
	}
	return uint64(int64(score-top)) ^ top
}

// alphabet is that of geohash.org.
const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"

// hashDigits are the characters that 52 bits are enough for; one more, 0, is
// appended because there have always been eleven.
const hashDigits = 10

// AppendHash appends the geohash of a point: eleven characters.
func AppendHash(b []byte, p Point) []byte {
	bits := cellOf(p, longitudes(), span{-90, 90}, maxStep).bits
	for i := range hashDigits {
		b = append(b, alphabet[bits>>(2*maxStep-5*(i+1))&31])
	}
	return append(b, alphabet[0])
}

// radians converts from degrees.
func radians(degrees float64) float64 { return degrees * (math.Pi / 180) }

// degrees converts from radians.
func degrees(radians float64) float64 { return radians / (math.Pi / 180) }

// earthRadius is in meters.
const earthRadius = 6372797.560856

// Distance is the length of the arc between two points, in meters.
func Distance(a, b Point) float64 { return distance(a, b, cos(radians(a.Latitude))) }

// distance is Distance with the cosine of a's latitude known.
func distance(a, b Point, cosine float64) float64 {
	v := sin((radians(b.Longitude) - radians(a.Longitude)) / 2)
	if v == 0 {
		return latitudeDistance(a.Latitude, b.Latitude)
	}
	from, to := radians(a.Latitude), radians(b.Latitude)
	u := sin((to - from) / 2)
	h := float64(u*u) + float64(cosine*cos(to)*v*v)
	return 2 * earthRadius * asin(math.Sqrt(h))
}

// latitudeDistance is the distance of points on one meridian.
func latitudeDistance(a, b float64) float64 {
	return earthRadius * math.Abs(radians(b)-radians(a))
}
