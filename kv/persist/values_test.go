package persist_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"conclave/kv/persist"
)

// encodings are the default, the newest, and one in which nothing is packed or
// compressed.
func encodings() []persist.Encoding {
	newest := persist.DefaultEncoding()
	newest.Version = persist.MaxVersion
	return []persist.Encoding{persist.DefaultEncoding(), newest, {Version: persist.Version, ListMaxListpackSize: 1, StreamNodeMaxEntries: 1}}
}

// sameValue compares what can be compared in a version: sets and hashes have no
// order, and the older version doesn't keep when a consumer was active.
func sameValue(a, b persist.Value, version uint16) bool {
	return reflect.DeepEqual(normal(a, version), normal(b, version))
}

func normal(v persist.Value, version uint16) any {
	switch v := v.(type) {
	case persist.String:
		return string(v)
	case persist.List:
		return texts(v)
	case persist.Set:
		s := texts(v)
		slices.Sort(s)
		return s
	case persist.Hash:
		h := map[string]string{}
		for _, f := range v {
			h[string(f.Name)] = string(f.Value)
		}
		return h
	case persist.SortedSet:
		z := slices.Clone(v)
		slices.SortFunc(z, func(a, b persist.SortedSetMember) int { return bytes.Compare(a.Member, b.Member) })
		var b strings.Builder
		for _, m := range z {
			fmt.Fprintf(&b, "%q %v\n", m.Member, m.Score) // tells -0 from 0
		}
		return b.String()
	case *persist.Stream:
		var b strings.Builder
		fmt.Fprintf(&b, "%v %v %d\n", v.LastID, v.MaxDeletedID, v.EntriesAdded)
		for _, e := range v.Entries {
			fmt.Fprintf(&b, "%v %q\n", e.ID, e.Fields)
		}
		groups := slices.Clone(v.Groups)
		slices.SortFunc(groups, func(a, b persist.StreamGroup) int { return bytes.Compare(a.Name, b.Name) })
		for _, g := range groups {
			fmt.Fprintf(&b, "%q %v %d\n", g.Name, g.LastID, g.EntriesRead)
			for _, p := range g.Pending {
				fmt.Fprintf(&b, "%v of %q %d %d\n", p.ID, g.Consumers[p.Consumer].Name, p.DeliveredMs, p.Deliveries)
			}
			consumers := slices.Clone(g.Consumers)
			slices.SortFunc(consumers, func(a, b persist.StreamConsumer) int { return bytes.Compare(a.Name, b.Name) })
			for _, c := range consumers {
				if version < 11 {
					c.ActiveMs = c.SeenMs
				}
				fmt.Fprintf(&b, "%q %d %d\n", c.Name, c.SeenMs, c.ActiveMs)
			}
		}
		return b.String()
	}
	return v
}

func texts(s [][]byte) []string {
	out := []string{}
	for _, p := range s {
		out = append(out, string(p))
	}
	return out
}

// words are n different strings: numbers of every width, short and long texts.
func words(n int) [][]byte {
	edges := []string{
		"", "0", "127", "128", "-1", "4095", "4096", "-4096", "-4097", "32767", "32768", "-32768", "-32769", "8388607", "8388608",
		"-8388608", "-8388609", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808",
		"9223372036854775808", "01", "-0", "1.5", "\x00\xff\r\n", strings.Repeat("a", 63), strings.Repeat("b", 64), strings.Repeat("c", 65),
		strings.Repeat("xyz ", 200), strings.Repeat("q", 4095), strings.Repeat("r", 4096), strings.Repeat("far ", 5000),
	}
	var out [][]byte
	for i := range n {
		if i < len(edges) {
			out = append(out, []byte(edges[i]))
			continue
		}
		out = append(out, fmt.Appendf(nil, "word:%d", i))
	}
	return out
}

func stream(n int) *persist.Stream {
	s := &persist.Stream{
		LastID: persist.StreamID{Ms: 5000, Seq: 7}, MaxDeletedID: persist.StreamID{Ms: 3}, EntriesAdded: uint64(n) + 2,
		Groups: []persist.StreamGroup{
			{Name: []byte("idle"), EntriesRead: -1},
			{
				Name: []byte("busy"), LastID: persist.StreamID{Ms: 1001, Seq: 1}, EntriesRead: 3,
				Pending: []persist.StreamPending{
					{ID: persist.StreamID{Ms: 3}, Consumer: 1, DeliveredMs: 1700000000000, Deliveries: 1},
					{ID: persist.StreamID{Ms: 1000, Seq: 1}, Consumer: 0, DeliveredMs: 1700000000001, Deliveries: 200},
					{ID: persist.StreamID{Ms: 1000, Seq: 2}, Consumer: 1, DeliveredMs: 1700000000002, Deliveries: 1},
				},
				Consumers: []persist.StreamConsumer{
					{Name: []byte("one"), SeenMs: 1700000000003, ActiveMs: 1700000000001},
					{Name: []byte("two"), SeenMs: 1700000000004, ActiveMs: 1700000000002},
					{Name: []byte("new"), SeenMs: 1700000000005, ActiveMs: -1},
				},
			},
		},
	}
	for i := range n {
		e := persist.StreamEntry{ID: persist.StreamID{Ms: 1000 + uint64(i/3), Seq: 9 + uint64(i%3)}, Fields: [][]byte{[]byte("temp"), fmt.Appendf(nil, "%d", i*37)}}
		if i%10 == 9 {
			e.Fields = append(e.Fields, []byte("note"), bytes.Repeat([]byte("n"), i))
		}
		s.Entries = append(s.Entries, e)
	}
	return s
}

// collections are values of every type in every layout that is written.
func collections() map[string]persist.Value {
	out := map[string]persist.Value{}
	for _, n := range []int{1, 35, 128, 129, 3000} {
		w := words(n)
		out[fmt.Sprintf("list of %d", n)] = persist.List(w)
		out[fmt.Sprintf("set of %d", n)] = persist.Set(w)
		var h persist.Hash
		var z persist.SortedSet
		scores := []float64{0, math.Copysign(0, -1), 1, -1.5, math.Inf(1), math.Inf(-1), 1e300, 5e-324, 1 << 53, 0.1, 12345678}
		for i, p := range w {
			h = append(h, persist.HashField{Name: p, Value: w[n-1-i]})
			z = append(z, persist.SortedSetMember{Member: p, Score: scores[i%len(scores)]})
		}
		out[fmt.Sprintf("hash of %d", n)] = h
		out[fmt.Sprintf("sorted set of %d", n)] = z
		out[fmt.Sprintf("stream of %d", n)] = stream(n)
	}
	for name, step := range map[string]int64{"16": 1, "32": 70000, "64": 1 << 40} {
		var s persist.Set
		for i := range int64(600) {
			if i < 512 || name == "16" {
				s = append(s, fmt.Appendf(nil, "%d", (i-200)*step))
			}
		}
		out["numbers of "+name] = s
	}
	out["small hash"] = persist.Hash{{Name: []byte("a"), Value: []byte("1")}, {Name: []byte("b"), Value: []byte("text")}}
	out["small sorted set"] = persist.SortedSet{{Member: []byte("b"), Score: 2.5}, {Member: []byte("a"), Score: 1}, {Member: []byte("c"), Score: 1}}
	out["empty stream"] = &persist.Stream{LastID: persist.StreamID{Ms: 1, Seq: 2}, EntriesAdded: 9}
	return out
}

func TestCollectionsRoundTrip(t *testing.T) {
	t.Parallel()
	for name, v := range collections() {
		for _, e := range encodings() {
			got, err := persist.ParseDump(e.AppendDump(nil, v), maxString)
			if err != nil {
				t.Errorf("%s, version %d: %v", name, e.Version, err)
				continue
			}
			if !sameValue(got, v, e.Version) {
				t.Errorf("%s, version %d: came back as %.300s", name, e.Version, fmt.Sprint(normal(got, e.Version)))
			}
			if z, ok := got.(persist.SortedSet); ok && !slices.IsSortedFunc(z, func(a, b persist.SortedSetMember) int {
				return cmp.Or(cmp.Compare(a.Score, b.Score), bytes.Compare(a.Member, b.Member))
			}) {
				t.Errorf("%s: not in order", name)
			}
		}
	}
}

// Each layout is chosen by Redis's limits.
func TestLayouts(t *testing.T) {
	t.Parallel()
	sized := func(n, length int) (s [][]byte) {
		for i := range n {
			s = append(s, fmt.Appendf(nil, "%0*d!", length-1, i))
		}
		return s
	}
	hash := func(n, length int) (h persist.Hash) {
		for _, p := range sized(n, length) {
			h = append(h, persist.HashField{Name: p, Value: []byte("v")})
		}
		return h
	}
	zset := func(n, length int) (z persist.SortedSet) {
		for _, p := range sized(n, length) {
			z = append(z, persist.SortedSetMember{Member: p})
		}
		return z
	}
	ints := func(n int) (s persist.Set) {
		for i := range n {
			s = append(s, fmt.Appendf(nil, "%d", i))
		}
		return s
	}
	for _, tt := range []struct {
		name            string
		v               persist.Value
		version         uint16
		kind, versionIs byte
	}{
		{"list", persist.List(sized(1, 3)), 10, 18, 10},
		{"hash of 512", hash(512, 64), 10, 16, 10},
		{"hash of 513", hash(513, 64), 10, 4, 10},
		{"long field", hash(1, 65), 10, 4, 10},
		{"sorted set of 128", zset(128, 64), 10, 17, 10},
		{"sorted set of 129", zset(129, 64), 10, 5, 10},
		{"long member", zset(1, 65), 10, 5, 10},
		{"512 numbers", ints(512), 11, 11, 10},
		{"513 numbers", ints(513), 11, 2, 10},
		{"set", persist.Set(sized(3, 64)), 10, 2, 10},
		{"set, newest", persist.Set(sized(128, 64)), 11, 20, 11},
		{"set of 129, newest", persist.Set(sized(129, 64)), 11, 2, 10},
		{"stream", stream(2), 10, 19, 10},
		{"stream, newest", stream(2), 11, 21, 11},
	} {
		e := persist.DefaultEncoding()
		e.Version = tt.version
		p := e.AppendDump(nil, tt.v)
		if p[0] != tt.kind || p[len(p)-10] != tt.versionIs {
			t.Errorf("%s: type %d of version %d, want %d of %d", tt.name, p[0], p[len(p)-10], tt.kind, tt.versionIs)
		}
	}
}

// object is a value with its type byte before it.
type object struct {
	name, bytes string
	want        persist.Value
}

// oldLayouts are read only.
func oldLayouts() []object {
	list := func(s ...string) (l persist.List) {
		for _, s := range s {
			l = append(l, []byte(s))
		}
		return l
	}
	// prevlen, encoding: "ab", 5 (immediate), -3 (8 bits), 300 (16), 70000 (24), 1<<30 (32), 1<<40 (64)
	const numbers = "\x2f\x00\x00\x00\x24\x00\x00\x00\x07\x00" + "\x00\x02ab" + "\x04\xf6" + "\x02\xfe\xfd" + "\x03\xc0\x2c\x01" +
		"\x04\xf0\x70\x11\x01" + "\x05\xd0\x00\x00\x00\x40" + "\x06\xe0\x00\x00\x00\x00\x00\x01\x00\x00" + "\xff"
	zipPairs := func(last string) string {
		z := []byte("\x00\x00\x00\x00\x12\x00\x00\x00\x04\x00" + "\x00\x01a" + "\x03\xf2" + "\x02\x01b" + "\x03" + last + "\xff")
		z[0] = byte(len(z))
		return string([]byte{byte(len(z))}) + string(z)
	}
	return []object{
		{"linked list", "\x01\x02\x01a\xc0\x05", list("a", "5")},
		{"ziplist", "\x0a" + string(rune(len(numbers))) + fixZiplist(numbers), list("ab", "5", "-3", "300", "70000", "1073741824", "1099511627776")},
		{"quicklist of ziplists", "\x0e\x02" + string(rune(len(numbers))) + fixZiplist(numbers) + string(rune(len(numbers))) + fixZiplist(numbers),
			list("ab", "5", "-3", "300", "70000", "1073741824", "1099511627776", "ab", "5", "-3", "300", "70000", "1073741824", "1099511627776")},
		{"zipmap", "\x09\x0f\x02\x01a\x02\x00v1\x02bc\x01\x01x?\xff", persist.Hash{{[]byte("a"), []byte("v1")}, {[]byte("bc"), []byte("x")}}},
		{"hash of ziplist", "\x0d" + zipPairs("\x01x"), persist.Hash{{[]byte("a"), []byte("1")}, {[]byte("b"), []byte("x")}}},
		{"sorted set of ziplist", "\x0c" + zipPairs("\x031.5"), persist.SortedSet{{[]byte("a"), 1}, {[]byte("b"), 1.5}}},
		{"scores as text", "\x03\x03\x01a\xfe\x01b\xff\x01c\x042e-3", persist.SortedSet{{[]byte("b"), math.Inf(-1)}, {[]byte("c"), 0.002}, {[]byte("a"), math.Inf(1)}}},
	}
}

func TestOldLayouts(t *testing.T) {
	t.Parallel()
	for _, tt := range oldLayouts() {
		v, err := persist.ParseDump(sign(tt.bytes, 10), maxString)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !sameValue(v, tt.want, 11) {
			t.Errorf("%s: %q, want %q", tt.name, v, tt.want)
		}
	}
}

// fixZiplist sets the size and the offset of the tail of a ziplist whose last
// element has 10 bytes.
func fixZiplist(z string) string {
	b := []byte(z)
	b[0] = byte(len(b))
	b[4] = byte(len(b) - 1 - 10)
	return string(b)
}

func malformedCollections() map[string]string {
	const onePair = "\x09\x09\x00\x00\x00\x01\x00\x81a\x02\xff" // a listpack "a" of 9 bytes + nothing: odd
	return map[string]string{
		"empty list":                 "\x01\x00",
		"empty quicklist":            "\x12\x00",
		"empty set":                  "\x02\x00",
		"empty hash":                 "\x04\x00",
		"empty sorted set":           "\x05\x00",
		"quicklist of empty nodes":   "\x12\x01\x02\x07\x07\x00\x00\x00\x00\x00\xff",
		"quicklist, unknown node":    "\x12\x01\x03\x01a",
		"set with a member twice":    "\x02\x02\x01a\x01a",
		"hash with a field twice":    "\x04\x02\x01a\x01b\x01a\x01c",
		"member twice":               "\x03\x02\x01a\x011\x01a\x012",
		"NaN":                        "\x03\x01\x01a\xfd",
		"raw NaN":                    "\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f",
		"score of letters":           "\x03\x01\x01a\x03abc",
		"many elements of nothing":   "\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff",
		"field without value":        "\x10" + onePair,
		"member without score":       "\x11" + onePair,
		"listpack, wrong size":       "\x14\x09\x0a\x00\x00\x00\x01\x00\x81a\x02\xff",
		"listpack, wrong count":      "\x14\x0a\x0a\x00\x00\x00\x02\x00\x81a\x02\xff",
		"listpack, wrong way back":   "\x14\x0a\x0a\x00\x00\x00\x01\x00\x81a\x03\xff",
		"listpack, no end":           "\x14\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\x00",
		"listpack, element too long": "\x14\x0a\x0a\x00\x00\x00\x01\x00\x85a\x02\xff",
		"listpack, unknown element":  "\x14\x0a\x0a\x00\x00\x00\x01\x00\xf9a\x02\xff",
		"intset out of order":        "\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x01\x00",
		"intset of odd width":        "\x0b\x0b\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x01",
		"intset too short":           "\x0b\x0a\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00",
		"zipmap without end":         "\x09\x02\x00\x00",
		"zipmap, long name":          "\x09\x05\x01\x05a\x00\xff",
		"ziplist, wrong tail":        "\x0a\x0e\x0e\x00\x00\x00\x0b\x00\x00\x00\x01\x00\x00\x01a\xff",
		"ziplist, wrong way back":    "\x0a\x0e\x0e\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x01\x01a\xff",
		"module":                     "\x07\x81\x00\x00\x00\x00\x00\x00\x00\x01\x00",
		"old module":                 "\x06\x81\x00\x00\x00\x00\x00\x00\x00\x01",
		"stream's node without ID":   "\x13\x01\x01a\x01a",
	}
}

func TestMalformedCollections(t *testing.T) {
	t.Parallel()
	for name, object := range malformedCollections() {
		if v, err := persist.ParseDump(sign(object, 11), maxString); !errors.Is(err, persist.ErrFormat) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// malformedStreams are streams whose parts contradict one another, among them
// two consumers that would share one pending entry, and some that are right.
func malformedStreams() []streamObject {
	id := func(ms byte) string {
		return strings.Repeat("\x00", 7) + string([]byte{ms}) + strings.Repeat("\x00", 8)
	}
	time := strings.Repeat("\x00", 8)
	head := func(groups string) string {
		return "\x13\x00" + "\x00" + "\x05\x00" + "\x00\x00" + "\x00\x00" + "\x05" + groups
	}
	group := func(body string) string { return head("\x01\x01g\x01\x00\x01" + body) }
	return []streamObject{
		{"no groups", head("\x00"), true},
		{"a pending entry", group("\x01" + id(1) + time + "\x01" + "\x01\x01c" + time + "\x01" + id(1)), true},
		{"pending twice", group("\x02" + id(1) + time + "\x01" + id(1) + time + "\x01" + "\x01\x01c" + time + "\x01" + id(1)), false},
		{"shared by two", group("\x01" + id(1) + time + "\x01" + "\x02\x01c" + time + "\x01" + id(1) + "\x01d" + time + "\x01" + id(1)), false},
		{"twice with one", group("\x01" + id(1) + time + "\x01" + "\x01\x01c" + time + "\x02" + id(1) + id(1)), false},
		{"nobody's", group("\x01" + id(1) + time + "\x01" + "\x01\x01c" + time + "\x00"), false},
		{"not pending", group("\x00" + "\x01\x01c" + time + "\x01" + id(1)), false},
		{"consumer twice", group("\x00" + "\x02\x01c" + time + "\x00" + "\x01c" + time + "\x00"), false},
		{"group twice", head("\x02\x01g\x01\x00\x01\x00\x00\x01g\x01\x00\x01\x00\x00"), false},
		{"entries that aren't there", "\x13\x00" + "\x03" + "\x05\x00" + "\x00\x00" + "\x00\x00" + "\x05" + "\x00", false},
	}
}

type streamObject struct {
	name, object string
	ok           bool
}

func TestMalformedStreams(t *testing.T) {
	t.Parallel()
	for _, tt := range malformedStreams() {
		_, err := persist.ParseDump(sign(tt.object, 10), maxString)
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, persist.ErrFormat) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A cut anywhere is noticed, whatever the checksum says.
func TestCutCollections(t *testing.T) {
	t.Parallel()
	for name, v := range collections() {
		for _, e := range encodings() {
			p := e.AppendDump(nil, v)
			p = p[:len(p)-10]
			step := max(1, len(p)/60)
			for n := 0; n < len(p); n += step {
				if _, err := persist.ParseDump(sign(string(p[:n]), 11), maxString); !errors.Is(err, persist.ErrFormat) {
					t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(p), err)
				}
			}
		}
	}
}
