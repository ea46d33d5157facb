package packed_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"conclave/kv/ds/packed"
)

func entries(l packed.List) (all []string) {
	for pos := 0; pos < len(l); {
		var v packed.Value
		v, pos = l.At(pos)
		all = append(all, string(v.Append(nil)))
	}
	return all
}

func backwards(l packed.List) (all []string) {
	for pos := len(l); pos > 0; {
		pos = l.Before(pos)
		v, _ := l.At(pos)
		all = append(all, string(v.Append(nil)))
	}
	slices.Reverse(all)
	return all
}

func TestValuesComeBack(t *testing.T) {
	for _, tc := range []struct {
		val  string
		size int
	}{
		{"", 2}, {"a", 3}, {"0", 2}, {"63", 2}, {"64", 3}, {"-1", 3}, {"-128", 3}, {"128", 4}, {"-32768", 4}, {"32768", 6},
		{"2147483648", 10}, {"-9223372036854775808", 10}, {"9223372036854775807", 10}, {"9223372036854775808", 21},
		{"-9223372036854775809", 22}, {"9999999999999999999", 21}, {"-", 3}, {"007", 5}, {"-0", 4}, {"+1", 4}, {" 1", 4}, {"0123456789abcdef", 18},
		{strings.Repeat("x", 63), 65}, {strings.Repeat("x", 64), 67}, {strings.Repeat("x", 255), 259}, {strings.Repeat("x", 256), 263},
		{strings.Repeat("x", 20_000), 20_008},
	} {
		l := packed.List(nil).Append([]byte(tc.val))
		if len(l) != tc.size || !l.Valid() {
			t.Errorf("%.20q takes %d bytes, want %d; valid %v", tc.val, len(l), tc.size, l.Valid())
		}
		if got := entries(l); len(got) != 1 || got[0] != tc.val {
			t.Errorf("%.20q came back as %.20q", tc.val, got)
		}
		if v, _ := l.At(0); v.Len() != len(tc.val) || !v.Equal([]byte(tc.val)) || v.Equal([]byte(tc.val+"x")) {
			t.Errorf("%.20q isn't equal to itself, or to another", tc.val)
		}
	}
}

// A list against a slice of strings.
func runModel(t *testing.T, in []byte) {
	var l packed.List
	var want []string
	next := func() int {
		if len(in) == 0 {
			return 0
		}
		b := in[0]
		in = in[1:]
		return int(b)
	}
	value := func() string {
		n := next()
		switch n % 4 {
		case 0:
			return fmt.Sprint(n)
		case 1:
			return fmt.Sprint(-(int64(n) << (n % 50)))
		case 2:
			return strings.Repeat("v", n)
		}
		return strings.Repeat("w", n*5)
	}
	for len(in) > 0 {
		op, i, val := next(), next(), value()
		if n := len(want); n > 0 {
			i %= n
		}
		pos, ok := l.Seek(i)
		if ok != (i < len(want)) {
			t.Fatalf("seek %d of %d: %v", i, len(want), ok)
		}
		switch op %= 6; {
		case op == 0, !ok:
			l, want = l.Append([]byte(val)), append(want, val)
		case op == 1:
			l, want = l.Insert(pos, []byte(val)), slices.Insert(want, i, val)
		case op == 2:
			l = l.Replace(pos, []byte(val))
			want[i] = val
		case op == 3:
			n := next() % 4
			l, want = l.Delete(pos, n), slices.Delete(want, i, min(len(want), i+n))
		case op == 4:
			at, found := l.Find(0, []byte(val), 0)
			j := slices.Index(want, val)
			if found != (j >= 0) {
				t.Fatalf("find %.20q: %v", val, found)
			}
			if p, _ := l.Seek(j); found && p != at {
				t.Fatalf("find %.20q: at %d, want %d", val, at, p)
			}
		default:
			if p, ok := l.Seek(i - len(want)); !ok || p != pos {
				t.Fatalf("seek %d of %d from the end: %d, want %d", i-len(want), len(want), p, pos)
			}
		}
	}
	if got := entries(l); !slices.Equal(got, want) || !l.Valid() || l.Count() != len(want) {
		t.Fatalf("%d entries, want %d, or others; valid %v", len(got), len(want), l.Valid())
	}
	if got := backwards(l); !slices.Equal(got, want) {
		t.Fatal("backwards it is another list")
	}
}

func TestListAgreesWithASlice(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		in := make([]byte, 2000)
		for i := range in {
			in[i] = byte(rng.Uint32())
		}
		runModel(t, in)
	}
}

func FuzzList(f *testing.F) {
	f.Add([]byte("0a1b2c3d4e5f6g"))
	f.Add(bytes.Repeat([]byte{0, 7, 200, 1, 3, 9}, 20))
	f.Fuzz(func(t *testing.T, in []byte) { runModel(t, in[:min(len(in), 4000)]) })
}

// Bytes that pass Valid can be read, and are what writing them gives.
func FuzzValid(f *testing.F) {
	f.Add([]byte(packed.List(nil).Append([]byte("a")).Append([]byte("12345")).Append(bytes.Repeat([]byte("x"), 300))))
	f.Add([]byte{0x85, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x84})
	f.Fuzz(func(t *testing.T, in []byte) {
		l := packed.List(in)
		if !l.Valid() {
			return
		}
		var again packed.List
		for _, e := range entries(l) {
			again = again.Append([]byte(e))
		}
		if !bytes.Equal(again, l) || !slices.Equal(backwards(l), entries(l)) {
			t.Errorf("%x is read as %x", in, again)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	var l packed.List
	for i := range 512 {
		l = l.Append(fmt.Appendf(nil, "field:%08d", i)).Append([]byte("value of the field"))
	}
	want := []byte("field:00000511")
	for b.Loop() {
		if _, ok := l.Find(0, want, 1); !ok {
			b.Fatal("not found")
		}
	}
}
