package kv

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"conclave/kv/ds/packed"
)

// A score in a flat sorted set is an integer if it is a whole number of moderate
// size. Everything else is a string that can't be taken for an integer: this
// letter, and the bytes of the double, lowest first, without the zero ones it
// begins with.
const scoreLetter = 'f'

// wholeScores is the bound of the scores that are kept as integers.
const wholeScores = 1 << 62

// AppendScore appends a score, which is no NaN, to a flat sorted set.
func AppendScore(l packed.List, score float64) packed.List {
	if math.Abs(score) <= wholeScores && score == math.Trunc(score) && !isMinusZero(score) {
		return l.AppendInt(int64(score))
	}
	var b [9]byte
	binary.LittleEndian.PutUint64(b[1:], math.Float64bits(score))
	skip := 0
	for b[skip+1] == 0 {
		skip++
	}
	b[skip] = scoreLetter
	return l.Append(b[skip:])
}

func isMinusZero(score float64) bool { return score == 0 && math.Signbit(score) }

// withoutMinusZero is a flat set with 0 in the place of -0. Redis's listpacks
// don't know -0, its skiplists do: neither do our records and objects.
func withoutMinusZero(list packed.List) packed.List {
	for pos := 0; pos < len(list); {
		_, at := list.At(pos)
		s, next := list.At(at)
		if isMinusZero(ScoreOf(s)) {
			list = list.Replace(at, []byte("0"))
			_, next = list.At(at)
		}
		pos = next
	}
	return list
}

// ScoreOf is the score that an entry of a flat sorted set stands for.
func ScoreOf(v packed.Value) float64 {
	if v.Bytes == nil {
		return float64(v.Int)
	}
	var b [8]byte
	if n := min(len(v.Bytes), 9) - 1; n > 0 {
		copy(b[8-n:], v.Bytes[1:])
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b[:]))
}

// compareMember orders a member of a flat set and another one.
func compareMember(v packed.Value, member []byte) int {
	if v.Bytes != nil {
		return bytes.Compare(v.Bytes, member)
	}
	var scratch [20]byte
	return bytes.Compare(strconv.AppendInt(scratch[:0], v.Int, 10), member)
}

// flatBefore is the position behind the leading elements for which before is
// true, and their number.
func flatBefore(list packed.List, before func(member packed.Value, score float64) bool) (pos, rank int) {
	for pos < len(list) {
		m, next := list.At(pos)
		s, after := list.At(next)
		if !before(m, ScoreOf(s)) {
			break
		}
		pos = after
		rank++
	}
	return pos, rank
}

// flatPlace is where an element belongs.
func flatPlace(list packed.List, score float64, member []byte) int {
	pos, _ := flatBefore(list, func(m packed.Value, s float64) bool {
		return s < score || s == score && compareMember(m, member) < 0
	})
	return pos
}

// flatBetween reports whether the element from pos to end would stay where it is
// with another score.
func flatBetween(list packed.List, pos, end int, score float64, member []byte) bool {
	if pos > 0 {
		at := list.Before(pos)
		s, _ := list.At(at)
		m, _ := list.At(list.Before(at))
		if prev := ScoreOf(s); prev > score || prev == score && compareMember(m, member) > 0 {
			return false
		}
	}
	if end < len(list) {
		m, at := list.At(end)
		s, _ := list.At(at)
		if next := ScoreOf(s); next < score || next == score && compareMember(m, member) < 0 {
			return false
		}
	}
	return true
}

// AppendScoreDigits appends a score as C prints a double with 17 digits (%.17g).
func AppendScoreDigits(b []byte, score float64) []byte {
	switch {
	case math.IsInf(score, 1):
		return append(b, "inf"...)
	case math.IsInf(score, -1):
		return append(b, "-inf"...)
	}
	return strconv.AppendFloat(b, score, 'g', 17, 64)
}
