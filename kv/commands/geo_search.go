package commands

import (
	"cmp"
	"slices"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/kv/geo"
	"conclave/resp/command"
)

// around is what a search begins with.
type around int

const (
	aroundPosition around = iota // GEORADIUS
	aroundMember                 // GEORADIUSBYMEMBER
	aroundAnything               // GEOSEARCH says it with options
)

// geoSearch is a call of GEOSEARCH, GEORADIUS or one of their variants.
type geoSearch struct {
	by       around
	readOnly bool // nothing is stored
	keep     bool // GEOSEARCHSTORE
	key      []byte
	store    []byte // nil: the result is replied
	dist     bool   // distances are stored in the place of scores

	z                             kv.ZSetKey
	shape                         geo.Shape
	withDist, withHash, withCoord bool
	fromMember, fromPosition      bool
	byRadius, byBox               bool
	order                         int // 1: ascending, -1: descending, 0: any
	count                         int64
	any                           bool
}

// found is a member inside the shape, dist meters from its center.
type found struct {
	member []byte
	score  float64
	point  geo.Point
	dist   float64
}

func (h *handlers) geosearch(c *command.Ctx, s geoSearch) {
	s.key = c.Arg(1)
	if s.keep {
		s.store, s.key = c.Arg(1), c.Arg(2)
	}
	var ok bool
	if s.z, ok = h.zset(c, s.key, reading(c)); !ok {
		return
	}
	if !s.parse(c) {
		return
	}
	if !s.z.Exists() {
		if s.store != nil {
			h.storeZSet(c, s.store, nil, 0, "")
		} else {
			c.Array(0)
		}
		return
	}
	all := s.find()
	if s.order == 0 && s.count > 0 && !s.any {
		s.order = 1
	}
	n := len(all)
	if s.count > 0 {
		n = int(min(s.count, int64(n)))
	}
	if s.order != 0 {
		all = s.sorted(all, n)
	}
	all = all[:n]
	if s.store != nil {
		h.storeFound(c, &s, all)
		return
	}
	s.reply(c, all)
}

// parse reads the center, the shape and the options; ok is false if the error has
// been replied.
func (s *geoSearch) parse(c *command.Ctx) (ok bool) {
	i := 2
	switch {
	case s.by == aroundPosition:
		if s.shape.Center, ok = parsePoint(c, 2); !ok || !s.parseRadius(c, 4) {
			return false
		}
		i = 6
	case s.by == aroundMember:
		// Without the key there is no member, but options tell what to reply.
		if s.z.Exists() && (!s.parseMember(c, 2) || !s.parseRadius(c, 3)) {
			return false
		}
		i = 5
	case s.keep:
		i = 3
	}
	for i < len(c.Args) {
		n, ok := s.option(c, i)
		if !ok {
			return false
		}
		i += n
	}
	return s.check(c)
}

func (s *geoSearch) parseMember(c *command.Ctx, i int) (ok bool) {
	score, ok := s.z.Score(c.Arg(i))
	if !ok {
		c.Error("ERR could not decode requested zset member")
		return false
	}
	s.shape.Center = geo.FromScore(score)
	return true
}

func (s *geoSearch) parseRadius(c *command.Ctx, i int) (ok bool) {
	if s.shape.Radius, ok = parseDouble(c.Arg(i)); !ok {
		c.Error("ERR need numeric radius")
		return false
	}
	if s.shape.Radius < 0 {
		c.Error("ERR radius cannot be negative")
		return false
	}
	s.shape.Unit, ok = parseUnit(c, i+1)
	return ok
}

func (s *geoSearch) parseBox(c *command.Ctx, i int) (ok bool) {
	if s.shape.Width, ok = parseDouble(c.Arg(i)); !ok {
		c.Error("ERR need numeric width")
		return false
	}
	if s.shape.Height, ok = parseDouble(c.Arg(i + 1)); !ok {
		c.Error("ERR need numeric height")
		return false
	}
	if s.shape.Width < 0 || s.shape.Height < 0 {
		c.Error("ERR height or width cannot be negative")
		return false
	}
	s.shape.IsBox = true
	s.shape.Unit, ok = parseUnit(c, i+2)
	return ok
}

// option reads the option at args[i] and returns how many arguments it takes; ok
// is false if the error has been replied.
func (s *geoSearch) option(c *command.Ctx, i int) (n int, ok bool) {
	switch {
	case c.Is(i, "withdist"):
		s.withDist = true
	case c.Is(i, "withhash"):
		s.withHash = true
	case c.Is(i, "withcoord"):
		s.withCoord = true
	case c.Is(i, "any"):
		s.any = true
	case c.Is(i, "asc"):
		s.order = 1
	case c.Is(i, "desc"):
		s.order = -1
	case s.keep && c.Is(i, "storedist"):
		s.dist = true
	default:
		return s.valueOption(c, i)
	}
	return 1, true
}

// valueOption is option for those that have values.
func (s *geoSearch) valueOption(c *command.Ctx, i int) (n int, ok bool) {
	values, search := len(c.Args)-i-1, s.by == aroundAnything
	switch {
	case values >= 1 && c.Is(i, "count"):
		if s.count, ok = kv.ParseInt(c.Arg(i + 1)); !ok {
			c.Error(command.ErrNotInteger)
			return 0, false
		}
		if s.count <= 0 {
			c.Error("ERR COUNT must be > 0")
			return 0, false
		}
		return 2, true
	case values >= 1 && !s.readOnly && !search && c.Is(i, "store"):
		s.store, s.dist = c.Arg(i+1), false
		return 2, true
	case values >= 1 && !s.readOnly && !search && c.Is(i, "storedist"):
		s.store, s.dist = c.Arg(i+1), true
		return 2, true
	case values >= 1 && search && !s.fromPosition && c.Is(i, "frommember"):
		s.fromMember = true
		return 2, !s.z.Exists() || s.parseMember(c, i+1)
	case values >= 2 && search && !s.fromMember && c.Is(i, "fromlonlat"):
		s.fromPosition = true
		s.shape.Center, ok = parsePoint(c, i+1)
		return 3, ok
	case values >= 2 && search && !s.byBox && c.Is(i, "byradius"):
		s.byRadius = true
		return 3, s.parseRadius(c, i+1)
	case values >= 3 && search && !s.byRadius && c.Is(i, "bybox"):
		s.byBox = true
		return 4, s.parseBox(c, i+1)
	}
	c.Error(command.ErrSyntax)
	return 0, false
}

// check looks for options that don't go together, or are missing.
func (s *geoSearch) check(c *command.Ctx) (ok bool) {
	search := s.by == aroundAnything
	switch {
	case s.store != nil && (s.withDist || s.withHash || s.withCoord):
		name := "STORE option in GEORADIUS"
		if s.keep {
			name = "GEOSEARCHSTORE"
		}
		c.Error("ERR " + name + " is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
	case search && !s.fromMember && !s.fromPosition:
		c.Error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + string(c.Arg(0)))
	case search && !s.byRadius && !s.byBox:
		c.Error("ERR exactly one of BYRADIUS and BYBOX can be specified for " + string(c.Arg(0)))
	case s.any && s.count == 0:
		c.Error("ERR the ANY argument requires COUNT argument")
	default:
		return true
	}
	return false
}

// find returns the members inside the shape: with ANY the first that are found.
func (s *geoSearch) find() (all []found) {
	var text textBuffer
	enough := func() bool { return s.any && int64(len(all)) >= s.count }
	for _, cell := range s.shape.Cells() {
		if enough() {
			break
		}
		lowest, behind := cell.Scores()
		from, to := s.z.InScores(kv.ScoreRange{Min: lowest, Max: behind, MaxOpen: true})
		s.z.Range(from, to, false, func(m packed.Value, score float64) bool {
			p := geo.FromScore(score)
			if d, in := s.shape.Distance(p); in {
				all = append(all, found{text.add(m), score, p, d})
			}
			return !enough()
		})
	}
	return all
}

// sorted returns the first n in order. Of those at the same distance the one that
// was found first comes first.
func (s *geoSearch) sorted(all []found, n int) []found {
	type place struct {
		dist float64
		at   int
	}
	places := make([]place, len(all))
	for i := range all {
		places[i] = place{float64(s.order) * all[i].dist, i}
	}
	slices.SortFunc(places, func(a, b place) int {
		if c := cmp.Compare(a.dist, b.dist); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
	out := make([]found, n)
	for i := range out {
		out[i] = all[places[i].at]
	}
	return out
}

func (s *geoSearch) reply(c *command.Ctx, all []found) {
	parts := 1
	for _, with := range []bool{s.withDist, s.withHash, s.withCoord} {
		if with {
			parts++
		}
	}
	c.Array(len(all))
	for i := range all {
		f := &all[i]
		if parts > 1 {
			c.Array(parts)
		}
		c.Bulk(f.member)
		if s.withDist {
			distance(c, f.dist/s.shape.Unit)
		}
		if s.withHash {
			c.Int(int64(f.score))
		}
		if s.withCoord {
			position(c, f.point)
		}
	}
}

// storeFound makes a sorted set of the result.
func (h *handlers) storeFound(c *command.Ctx, s *geoSearch, all []found) {
	var out scoredMembers
	for i := range all {
		score := all[i].score
		if s.dist {
			score = all[i].dist / s.shape.Unit
		}
		out.all = append(out.all, scoredMember{all[i].member, score})
	}
	out.sort()
	event := "georadiusstore"
	if s.keep {
		event = "geosearchstore"
	}
	h.storeZSet(c, s.store, out.flat(), len(out.all), event)
}
