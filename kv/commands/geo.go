package commands

import (
	"bytes"
	"math"
	"strconv"

	"conclave/kv"
	"conclave/kv/geo"
	"conclave/resp/command"
)

func (h *handlers) geoSpecs() []command.Spec {
	const (
		read   = command.ReadOnly
		write  = command.Write | command.DenyOOM
		acl    = command.CatGeo
		search = "O(N+log(M)) where N is the number of members in the squares around the center and M that of all"
		shown  = " [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]"
		unit   = " (M | KM | FT | MI)"
		from   = " (FROMMEMBER member | FROMLONLAT longitude latitude) (BYRADIUS radius" + unit + " | BYBOX width height" + unit + ") [ASC | DESC] [COUNT count [ANY]]"
	)
	access := keySpec(command.RO | command.Access)
	stored := func(begin int) []command.KeySpec {
		out := command.KeySpec{Begin: begin, Keyword: "STORE", Flags: command.OW | command.Update, Find: geoDestination(begin)}
		dist := out
		dist.Keyword, dist.Find = "STOREDIST", noKeys
		return []command.KeySpec{access[0], out, dist}
	}
	run := func(s geoSearch) func(*command.Ctx) { return func(c *command.Ctx) { h.geosearch(c, s) } }
	return []command.Spec{
		{Name: "geoadd", Arity: -5, Flags: write, ACL: acl, Keys: keySpec(command.RW | command.Update),
			Group: "geo", Since: "3.2.0", Cost: "O(log(N)) where N is the number of members, for each one added",
			Args: "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
			Doc:  "Adds members with positions to a sorted set. Creates the key if it doesn't exist.", Run: h.geoadd},
		{Name: "geodist", Arity: -4, Flags: read, ACL: acl, Keys: access,
			Group: "geo", Since: "3.2.0", Cost: "O(1)", Args: "key member1 member2 [M | KM | FT | MI]",
			Doc: "Returns the distance between two members.", Run: h.geodist},
		{Name: "geohash", Arity: -2, Flags: read, ACL: acl, Keys: access,
			Group: "geo", Since: "3.2.0", Cost: "O(N) where N is the number of members asked for", Args: "key [member [member ...]]",
			Doc: "Returns the positions of members as geohashes.", Run: h.geohash},
		{Name: "geopos", Arity: -2, Flags: read, ACL: acl, Keys: access,
			Group: "geo", Since: "3.2.0", Cost: "O(N) where N is the number of members asked for", Args: "key [member [member ...]]",
			Doc: "Returns the longitudes and latitudes of members.", Run: h.geopos},
		{Name: "georadius", Arity: -6, Flags: write, ACL: acl, Keys: stored(6),
			Group: "geo", Since: "3.2.0", Cost: search, Args: "key longitude latitude radius" + unit + shown + " [STORE key | STOREDIST key]",
			Doc: "Returns the members within a distance of a position, or stores them.",
			Run: run(geoSearch{by: aroundPosition})},
		{Name: "georadius_ro", Arity: -6, Flags: read, ACL: acl, Keys: access,
			Group: "geo", Since: "3.2.10", Cost: search, Args: "key longitude latitude radius" + unit + shown,
			Doc: "Returns the members within a distance of a position.",
			Run: run(geoSearch{by: aroundPosition, readOnly: true})},
		{Name: "georadiusbymember", Arity: -5, Flags: write, ACL: acl, Keys: stored(5),
			Group: "geo", Since: "3.2.0", Cost: search, Args: "key member radius" + unit + shown + " [STORE key | STOREDIST key]",
			Doc: "Returns the members within a distance of a member, or stores them.",
			Run: run(geoSearch{by: aroundMember})},
		{Name: "georadiusbymember_ro", Arity: -5, Flags: read, ACL: acl, Keys: access,
			Group: "geo", Since: "3.2.10", Cost: search, Args: "key member radius" + unit + shown,
			Doc: "Returns the members within a distance of a member.",
			Run: run(geoSearch{by: aroundMember, readOnly: true})},
		{Name: "geosearch", Arity: -7, Flags: read, ACL: acl, Keys: access,
			Group: "geo", Since: "6.2.0", Cost: search, Args: "key" + from + " [WITHCOORD] [WITHDIST] [WITHHASH]",
			Doc: "Returns the members inside a circle or a box.",
			Run: run(geoSearch{by: aroundAnything, readOnly: true})},
		{Name: "geosearchstore", Arity: -8, Flags: write, ACL: acl,
			Keys:  []command.KeySpec{{Begin: 1, Flags: command.OW | command.Update}, {Begin: 2, Flags: command.RO | command.Access}},
			Group: "geo", Since: "6.2.0", Cost: search, Args: "destination source" + from + " [STOREDIST]",
			Doc: "Stores the members inside a circle or a box in another key.",
			Run: run(geoSearch{by: aroundAnything, keep: true})},
	}
}

// geoDestination finds the key behind STORE or STOREDIST, the last one if there are
// several, as the search will.
func geoDestination(begin int) func(dst []int, args [][]byte) ([]int, error) {
	return func(dst []int, args [][]byte) ([]int, error) {
		at := 0
		for i := begin; i+1 < len(args); i++ {
			if command.EqualFold(args[i], "store") || command.EqualFold(args[i], "storedist") {
				i++
				at = i
			}
		}
		if at > 0 {
			dst = append(dst, at)
		}
		return dst, nil
	}
}

// parsePoint reads longitude and latitude at args[i]; ok is false if the error has
// been replied.
func parsePoint(c *command.Ctx, i int) (p geo.Point, ok bool) {
	if p.Longitude, ok = parseDouble(c.Arg(i)); ok {
		p.Latitude, ok = parseDouble(c.Arg(i + 1))
	}
	switch {
	case !ok:
		c.Error(command.ErrNotFloat)
	case !p.Valid():
		text := appendFixed([]byte("ERR invalid longitude,latitude pair "), p.Longitude)
		c.Error(string(appendFixed(append(text, ','), p.Latitude)))
		ok = false
	}
	return p, ok
}

// appendFixed prints as C's %f.
func appendFixed(b []byte, f float64) []byte {
	if math.IsInf(f, 0) {
		return kv.AppendScoreDigits(b, f)
	}
	return strconv.AppendFloat(b, f, 'f', 6, 64)
}

// parseUnit reads a unit of length, in meters; ok is false if the error has been
// replied.
func parseUnit(c *command.Ctx, i int) (meters float64, ok bool) {
	switch {
	case c.Is(i, "m"):
		return 1, true
	case c.Is(i, "km"):
		return 1000, true
	case c.Is(i, "ft"):
		return 0.3048, true
	case c.Is(i, "mi"):
		return 1609.34, true
	}
	c.Error("ERR unsupported unit provided. please use M, KM, FT, MI")
	return 0, false
}

func (h *handlers) geoadd(c *command.Ctx) {
	var o zaddOptions
	i := 2
options:
	for ; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "nx"):
			o.nx = true
		case c.Is(i, "xx"):
			o.xx = true
		case c.Is(i, "ch"):
			o.ch = true
		default:
			break options
		}
	}
	args := c.Args[i:]
	if len(args) == 0 || len(args)%3 != 0 || o.nx && o.xx {
		c.Error(command.ErrSyntax)
		return
	}
	scores := make([]float64, 0, len(args)/3)
	for ; i < len(c.Args); i += 3 {
		p, ok := parsePoint(c, i)
		if !ok {
			return
		}
		scores = append(scores, geo.Score(p))
	}
	h.addScores(c, o, scores, func(i int) []byte { return args[3*i+2] })
}

// geoEach replies something for each member that args[2:] name, or a null.
func (h *handlers) geoEach(c *command.Ctx, null func(), reply func(geo.Point)) {
	z, ok := h.zset(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	c.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		if score, ok := z.Score(m); ok {
			reply(geo.FromScore(score))
		} else {
			null()
		}
	}
}

func (h *handlers) geohash(c *command.Ctx) {
	var scratch [16]byte
	h.geoEach(c, c.Null, func(p geo.Point) { c.Bulk(geo.AppendHash(scratch[:0], p)) })
}

func (h *handlers) geopos(c *command.Ctx) {
	h.geoEach(c, c.NullArray, func(p geo.Point) { position(c, p) })
}

func position(c *command.Ctx, p geo.Point) {
	c.Array(2)
	coordinate(c, p.Longitude)
	coordinate(c, p.Latitude)
}

// coordinate replies degrees with up to 17 digits behind the point.
func coordinate(c *command.Ctx, degrees float64) {
	var scratch [32]byte
	text := strconv.AppendFloat(scratch[:0], degrees, 'f', 17, 64)
	text = bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte("."))
	if string(text) == "-0" {
		text = text[1:]
	}
	if c.Proto() == 2 {
		c.Bulk(text)
		return
	}
	c.Raw([]byte{','})
	c.Raw(text)
	c.Raw([]byte("\r\n"))
}

// distance replies a length with four digits behind the point.
func distance(c *command.Ctx, d float64) {
	const scale = 10_000
	n := int64(math.RoundToEven(d * scale))
	var scratch [32]byte
	text := scratch[:0]
	if n < 0 {
		text = append(text, '-')
		n = -n
	}
	text = strconv.AppendInt(text, n/scale, 10)
	text = append(text, '.')
	for rest, unit := n%scale, int64(scale/10); unit > 0; unit /= 10 {
		text = append(text, '0'+byte(rest/unit%10))
	}
	c.Bulk(text)
}

func (h *handlers) geodist(c *command.Ctx) {
	unit := 1.0
	switch n := len(c.Args); {
	case n == 5:
		var ok bool
		if unit, ok = parseUnit(c, 4); !ok {
			return
		}
	case n > 5:
		c.Error(command.ErrSyntax)
		return
	}
	z, ok := h.zset(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	a, first := z.Score(c.Arg(2))
	b, second := z.Score(c.Arg(3))
	if !first || !second {
		c.Null()
		return
	}
	distance(c, geo.Distance(geo.FromScore(a), geo.FromScore(b))/unit)
}
