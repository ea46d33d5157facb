package persist

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
)

// SortedSet is the value of a sorted set key: different members. Decoded ones
// ascend by score, equal scores by member; those to be encoded may come in any
// order. No score is NaN.
type SortedSet []SortedSetMember

// SortedSetMember is one member of a [SortedSet].
type SortedSetMember struct {
	Member []byte
	Score  float64
}

func compareMembers(a, b SortedSetMember) int {
	if c := cmp.Compare(a.Score, b.Score); c != 0 {
		return c
	}
	return bytes.Compare(a.Member, b.Member)
}

func (z SortedSet) layout(e *Encoding) byte {
	if len(z) > e.SortedSetMaxListpackEntries {
		return typeSortedSet
	}
	for _, m := range z {
		// Redis has no -0 in a listpack.
		if len(m.Member) > e.SortedSetMaxListpackValue || m.Score == 0 && math.Signbit(m.Score) {
			return typeSortedSet
		}
	}
	return typeSortedSetListpack
}

func (z SortedSet) encode(w *encoder, kind byte) {
	if !slices.IsSortedFunc(z, compareMembers) {
		z = slices.Clone(z)
		slices.SortFunc(z, compareMembers)
	}
	if kind == typeSortedSetListpack {
		l := newListpackBuilder(w.pack)
		for _, m := range z {
			l.add(m.Member)
			l.addScore(m.Score)
		}
		w.pack = l.bytes()
		w.string(w.pack)
		return
	}
	w.length(uint64(len(z)))
	// The greatest first, as Redis does: inserting at the head is cheapest.
	for _, m := range slices.Backward(z) {
		w.b = appendMember(w, m)
	}
}

// appendMember writes a member and its score as a raw double.
func appendMember(w *encoder, m SortedSetMember) []byte {
	w.string(m.Member)
	return binary.LittleEndian.AppendUint64(w.b, math.Float64bits(m.Score))
}

// addScore appends a score, as a number if it is a whole one.
func (l *listpackBuilder) addScore(score float64) {
	const exact = 1 << 53 // up to here each whole number is a double
	if n := int64(score); math.Abs(score) < exact && float64(n) == score {
		l.addInt(n)
		return
	}
	var scratch [32]byte
	l.add(appendScore(scratch[:0], score))
}

// appendScore writes the shortest text that reads back as the same score.
func appendScore(b []byte, score float64) []byte {
	switch {
	case math.IsInf(score, 1):
		return append(b, "inf"...)
	case math.IsInf(score, -1):
		return append(b, "-inf"...)
	}
	return strconv.AppendFloat(b, score, 'g', -1, 64)
}

// A score as text: its length, or one of these.
const (
	scoreNaN         = 253
	scoreInf         = 254
	scoreNegativeInf = 255
)

func (d *decoder) sortedSet(kind byte) (Value, error) {
	var z SortedSet
	var err error
	if kind == typeSortedSet || kind == typeSortedSetText {
		z, err = d.sortedSetMembers(kind)
	} else {
		z, err = d.packedSortedSet(kind)
	}
	if err != nil {
		return nil, err
	}
	if len(z) == 0 {
		return nil, errEmpty
	}
	for _, m := range z {
		if math.IsNaN(m.Score) {
			return nil, malformed("a score that isn't a number")
		}
	}
	if !distinct(len(z), func(i int) []byte { return z[i].Member }) {
		return nil, malformed("a sorted set with a member twice")
	}
	if compareMembers(z[0], z[len(z)-1]) > 0 {
		slices.Reverse(z)
	}
	if !slices.IsSortedFunc(z, compareMembers) {
		slices.SortFunc(z, compareMembers)
	}
	return z, nil
}

func (d *decoder) sortedSetMembers(kind byte) (SortedSet, error) {
	n, err := d.size()
	if err != nil {
		return nil, err
	}
	z := make(SortedSet, 0, few(n))
	for range n {
		var m SortedSetMember
		if m.Member, err = d.string(); err != nil {
			return nil, err
		}
		if kind == typeSortedSet {
			var bits uint64
			bits, err = d.uint64()
			m.Score = math.Float64frombits(bits)
		} else {
			m.Score, err = d.scoreText()
		}
		if err != nil {
			return nil, err
		}
		z = append(z, m)
	}
	return z, nil
}

func (d *decoder) scoreText() (float64, error) {
	n, err := d.byte()
	if err != nil {
		return 0, err
	}
	switch n {
	case scoreNaN:
		return math.NaN(), nil
	case scoreInf:
		return math.Inf(1), nil
	case scoreNegativeInf:
		return math.Inf(-1), nil
	}
	p, err := d.take(uint64(n))
	if err != nil {
		return 0, err
	}
	return parseScore(p)
}

func parseScore(p []byte) (float64, error) {
	score, err := strconv.ParseFloat(string(p), 64)
	if err != nil {
		return 0, malformed("a score that isn't a number")
	}
	return score, nil
}

func (d *decoder) packedSortedSet(kind byte) (SortedSet, error) {
	p, err := d.string()
	if err != nil {
		return nil, err
	}
	open := packedListpack
	if kind == typeSortedSetZiplist {
		open = packedZiplist
	}
	elements, err := open(p)
	if err != nil {
		return nil, err
	}
	z := make(SortedSet, 0, elements.size()/2)
	for elements.more() {
		member, err := elements.next()
		if err != nil {
			return nil, err
		}
		if !elements.more() {
			return nil, malformed("a sorted set with a member without score")
		}
		score, err := elements.next()
		if err != nil {
			return nil, err
		}
		m := SortedSetMember{Member: d.elementText(member), Score: float64(score.n)}
		if !score.isNumber {
			if m.Score, err = parseScore(score.s); err != nil {
				return nil, err
			}
		}
		z = append(z, m)
	}
	return z, elements.finish()
}
