package slot_test

import (
	"bytes"
	"slices"
	"testing"

	"conclave/fsm/slot"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int{
		"":               0,
		"foo":            12182,
		"{user}:1":       5474,
		"user":           5474,
		"123456789":      0x31C3,
		"a{user}b{x}":    5474,
		"foo{{user}}bar": slot.Of([]byte("{user")),
		"foo{user":       slowOf("foo{user"),
		"foo}user{":      slowOf("foo}user{"),
		"foo{}{user}":    slowOf("foo{}{user}"), // an empty first tag: the whole key
	} {
		if got := slot.Of([]byte(key)); got != want {
			t.Errorf("Of(%q) = %d, want %d", key, got, want)
		}
	}
}

// slowOf is the definition, bit by bit, for keys without a hash tag.
func slowOf(key string) int {
	var crc uint16
	for _, c := range []byte(key) {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slot.Count
}

func TestOfAllLengths(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte("k\xff0\x00zQ7"), 10)
	for n := range key {
		if got, want := slot.Of(key[:n]), slowOf(string(key[:n])); got != want {
			t.Errorf("length %d: %d, want %d", n, got, want)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	key := []byte("user:{1000234}:profile:name")
	b.ReportAllocs()
	for b.Loop() {
		slot.Of(key)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]slot.Range{
		"0": {}, "7": {Start: 7, End: 7}, "0-16383": {End: 16383}, "5-5": {Start: 5, End: 5},
	} {
		if got, err := slot.Parse(in); err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-", "1-", "-1", "2-1", "16384", "0-16384", "1-2-3", "a", "+1", "1 ", "99999999999999999999"} {
		if got, err := slot.Parse(in); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", in, got)
		}
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	ranges := []slot.Range{{Start: 0, End: 0}, {Start: 63, End: 64}, {Start: 5000, End: 16383}}
	s := slot.SetOf(ranges...)
	if got := s.Ranges(); !slices.Equal(got, ranges) {
		t.Errorf("Ranges = %v, want %v", got, ranges)
	}
	if got, want := s.Len(), 3+16383-5000+1; got != want {
		t.Errorf("Len = %d, want %d", got, want)
	}
	if s.Add(63) || !s.Add(62) || !s.Remove(62) || s.Remove(62) || !s.Contains(64) || s.Contains(65) {
		t.Error("Add, Remove or Contains is wrong about what was in the set")
	}
	if got := slot.Format(s.Ranges()); got != "0 63-64 5000-16383" {
		t.Errorf("Format = %q", got)
	}
	if s.Empty() || !new(slot.Set).Empty() || new(slot.Set).Ranges() != nil {
		t.Error("Empty is wrong")
	}
	for n := range s.All() {
		if n != 0 {
			t.Errorf("first slot %d", n)
		}
		break
	}
}

func TestRangesOfSlots(t *testing.T) {
	t.Parallel()
	got := slot.Ranges([]int{5, 3, 4, 9, 4, -1, 16384, 16383})
	want := []slot.Range{{Start: 3, End: 5}, {Start: 9, End: 9}, {Start: 16383, End: 16383}}
	if !slices.Equal(got, want) {
		t.Errorf("Ranges = %v, want %v", got, want)
	}
}
