package persist_test

import (
	"bytes"
	"errors"
	"hash/crc64"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"conclave/kv/persist"
)

const maxString = 512 << 20

func TestChecksumIsRedis(t *testing.T) {
	if got := persist.Checksum(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Fatalf("Checksum = %#x", got)
	}
	bytewise := crc64.MakeTable(0x95ac9329ac4bc9b5)
	for name, p := range samples() {
		// hash/crc64 inverts the sum before and after.
		if got, want := persist.Checksum(5, p), ^crc64.Update(^uint64(5), bytewise, p); got != want {
			t.Errorf("%s: %#x, want %#x", name, got, want)
		}
	}
	whole := persist.Checksum(0, []byte("hello world"))
	if got := persist.Checksum(persist.Checksum(0, []byte("hello ")), []byte("world")); got != whole {
		t.Fatalf("in two pieces %#x, in one %#x", got, whole)
	}
}

// The payloads are those of redis-server 7.0.15.
func TestPayloadsOfRedis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, payload, want string }{
		{"plain", "\x00\x0bhello world\n\x00\x0b\xfcI\xb9\xa6\xc7\xa04", "hello world"},
		{"compressed", "\x00\xc3\n@\xc8\x02aba\xe0\xba\x01\x01ab\n\x00$\xa6\xe8Ap\xc0\xc6\x8c", strings.Repeat("ab", 100)},
	} {
		v, err := persist.ParseDump([]byte(tt.payload), maxString)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := string(v.(persist.String)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if got := persist.AppendDump(nil, persist.String(tt.want)); tt.name == "plain" && string(got) != tt.payload {
			t.Errorf("%s: written as %q, Redis writes %q", tt.name, got, tt.payload)
		}
	}
}

// samples are strings at every edge of the encodings.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		return p
	}
	s := map[string][]byte{
		"empty": {}, "text of 63": bytes.Repeat([]byte("x"), 63),
		"random 63": random(63), "random 64": random(64), "random 16383": random(16383),
		"random 16384": random(16384), "random 100000": random(100000),
		"run of 21": bytes.Repeat([]byte{0}, 21), "run of 20": bytes.Repeat([]byte{0}, 20),
		"run of a million": bytes.Repeat([]byte("a"), 1<<20),
		"words":            []byte(strings.Repeat("the quick brown fox jumps over the lazy dog, ", 500)),
		"far apart":        append(append(random(40), random(8100)...), random(40)...),
		"half random":      append(random(5000), bytes.Repeat([]byte("xyz"), 3000)...),
	}
	far := random(60)
	s["distance 8192"] = append(append(bytes.Clone(far), random(8192-60)...), far...)
	s["distance 8193"] = append(append(bytes.Clone(far), random(8193-60)...), far...)
	for _, n := range []string{"0", "-0", "+1", "01", " 1", "1 ", "-1", "127", "128", "-128", "-129", "32767", "32768",
		"-32768", "-32769", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807",
		"-9223372036854775808", "1.5", "1e3", "0x10", "1_000"} {
		s["number "+n] = []byte(n)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, want := range samples() {
		p := persist.AppendDump(nil, persist.String(want))
		v, err := persist.ParseDump(p, maxString)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(v.(persist.String), want) {
			t.Errorf("%s: came back as %.60q", name, v)
		}
	}
	for n := 0; n < 700; n++ { // every length around the limits of runs and matches
		want := append(bytes.Repeat([]byte("a"), n), "bcd"...)
		v, err := persist.ParseDump(persist.AppendDump(nil, persist.String(want)), maxString)
		if err != nil || !bytes.Equal(v.(persist.String), want) {
			t.Fatalf("a run of %d: %v", n, err)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		value string
		most  int // bytes of the payload
	}{
		{"int8", "-128", 1 + 2 + 10},
		{"int16", "32767", 1 + 3 + 10},
		{"int32", "-2147483648", 1 + 5 + 10},
		{"not canonical", "007", 1 + 1 + 3 + 10},
		{"run", strings.Repeat("a", 10000), 200},
		{"words", strings.Repeat("the quick brown fox ", 100), 100},
	} {
		if n := len(persist.AppendDump(nil, persist.String(tt.value))); n > tt.most {
			t.Errorf("%s: payload of %d bytes, want at most %d", tt.name, n, tt.most)
		}
	}
}

func TestDamageIsRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"12345", "hello", strings.Repeat("abc", 50)} {
		p := persist.AppendDump(nil, persist.String(value))
		for n := range p {
			if _, err := persist.ParseDump(p[:n], maxString); !errors.Is(err, persist.ErrChecksum) {
				t.Errorf("%q cut to %d bytes: %v", value, n, err)
			}
		}
		for i := 0; i < 8*len(p); i++ {
			q := bytes.Clone(p)
			q[i/8] ^= 1 << (i % 8)
			if _, err := persist.ParseDump(q, maxString); !errors.Is(err, persist.ErrChecksum) {
				t.Errorf("%q with bit %d flipped: %v", value, i, err)
			}
		}
	}
}

// sign puts a version and a valid checksum behind an object.
func sign(object string, version byte) []byte {
	p := append([]byte(object), version, 0)
	crc := persist.Checksum(0, p)
	for range 8 {
		p = append(p, byte(crc))
		crc >>= 8
	}
	return p
}

func TestObjects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, object string
		version      byte
		want         string
		err          error
	}{
		{"version 1", "\x00\x01a", 1, "a", nil},
		{"version 11", "\x00\x01a", 11, "a", nil},
		{"version 12", "\x00\x01a", 12, "", persist.ErrChecksum},
		{"long forms of a length", "\x00\x80\x00\x00\x00\x01a", 10, "a", nil},
		{"64-bit length", "\x00\x81\x00\x00\x00\x00\x00\x00\x00\x01a", 10, "a", nil},
		{"nothing", "", 10, "", persist.ErrFormat},
		{"no body", "\x00", 10, "", persist.ErrFormat},
		{"a list", "\x12\x01", 10, "", persist.ErrFormat},
		{"no such type", "\xff\x01a", 10, "", persist.ErrFormat},
		{"trailing byte", "\x00\x01ab", 10, "", persist.ErrFormat},
		{"short string", "\x00\x02a", 10, "", persist.ErrFormat},
		{"half a length", "\x00\x40", 10, "", persist.ErrFormat},
		{"32-bit length of nothing", "\x00\x80\xff\xff\xff\xff", 10, "", persist.ErrFormat},
		{"64-bit length of nothing", "\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff", 10, "", persist.ErrFormat},
		{"unknown width", "\x00\x82\x00\x00\x00\x00", 10, "", persist.ErrFormat},
		{"unknown encoding", "\x00\xc4", 10, "", persist.ErrFormat},
		{"half an integer", "\x00\xc2\x01\x02", 10, "", persist.ErrFormat},
		{"LZF of nothing", "\x00\xc3\x00\x00", 10, "", nil},
		{"LZF, exact", "\x00\xc3\x05\x07\x00a\x60\x00\x00", 10, "", persist.ErrFormat},
		{"LZF literals", "\x00\xc3\x03\x02\x01ab", 10, "ab", nil},
		{"LZF repetition", "\x00\xc3\x04\x06\x00a\x60\x00", 10, "aaaaaa", nil},
		{"LZF claims more", "\x00\xc3\x03\x03\x01ab", 10, "", persist.ErrFormat},
		{"LZF claims less", "\x00\xc3\x03\x01\x01ab", 10, "", persist.ErrFormat},
		{"LZF claims a terabyte", "\x00\xc3\x03\x81\x00\x00\x01\x00\x00\x00\x00\x00\x01ab", 10, "", persist.ErrFormat},
		{"LZF claims 2 GB", "\x00\xc3\x03\x80\x7f\xff\xff\xff\x01ab", 10, "", persist.ErrFormat},
		{"LZF lengths are encodings", "\x00\xc3\xc0\x01\x01ab", 10, "", persist.ErrFormat},
		{"LZF literals cut off", "\x00\xc3\x02\x02\x01a", 10, "", persist.ErrFormat},
		{"LZF repetition cut off", "\x00\xc3\x03\x06\x00a\x60", 10, "", persist.ErrFormat},
		{"LZF long repetition cut off", "\x00\xc3\x04\x20\x00a\xe0\x01", 10, "", persist.ErrFormat},
		{"LZF repeats what isn't there", "\x00\xc3\x04\x06\x00a\x60\x01", 10, "", persist.ErrFormat},
	} {
		v, err := persist.ParseDump(sign(tt.object, tt.version), maxString)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.err)
		}
		if err == nil && string(v.(persist.String)) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, v, tt.want)
		}
	}
}

func TestLimitOfStrings(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"plain": "0123456789abcdef", "compressed": strings.Repeat("a", 1000)} {
		p := persist.AppendDump(nil, persist.String(value))
		if _, err := persist.ParseDump(p, len(value)); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
		if _, err := persist.ParseDump(p, len(value)-1); !errors.Is(err, persist.ErrFormat) {
			t.Errorf("%s: over the limit: %v", name, err)
		}
	}
}

// A claimed length costs memory only as far as the payload earns it.
func TestClaimsDontAllocate(t *testing.T) {
	for name, object := range map[string]string{
		"raw":  "\x00\x80\x1f\xff\xff\xff" + strings.Repeat("a", 100),
		"LZF":  "\x00\xc3\x40\x64\x80\x00\x00\x22\x60" + strings.Repeat("\x60", 100), // 88 times 100, undecodable
		"ints": "\x00\xc2",
	} {
		p := sign(object, 10)
		const runs = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if _, err := persist.ParseDump(p, maxString); err == nil {
				t.Fatalf("%s: accepted", name)
			}
		}
		runtime.ReadMemStats(&after)
		n := (after.TotalAlloc - before.TotalAlloc) / runs
		if n > 4096 {
			t.Errorf("%s: %d bytes allocated for a payload of %d", name, n, len(p))
		}
	}
}

func FuzzParseDump(f *testing.F) {
	for _, s := range samples() {
		if len(s) < 5000 {
			f.Add(persist.AppendDump(nil, persist.String(s)))
		}
	}
	for _, v := range collections() {
		for _, e := range encodings() {
			if p := e.AppendDump(nil, v); len(p) < 2000 {
				f.Add(p)
			}
		}
	}
	f.Add([]byte("\x00\xc3\n@\xc8\x02aba\xe0\xba\x01\x01ab\n\x00$\xa6\xe8Ap\xc0\xc6\x8c"))
	f.Fuzz(func(t *testing.T, p []byte) {
		const limit = 1 << 20
		check := func(p []byte) {
			v, err := persist.ParseDump(p, limit)
			if err != nil {
				if !errors.Is(err, persist.ErrFormat) && !errors.Is(err, persist.ErrChecksum) {
					t.Fatalf("unexpected error %v", err)
				}
				return
			}
			if s, ok := v.(persist.String); ok && len(s) > limit {
				t.Fatalf("%d bytes are over the limit", len(s))
			}
			// Every value can be written, in both versions, and is the same then.
			for _, e := range encodings() {
				again, err := persist.ParseDump(e.AppendDump(nil, v), math.MaxInt32)
				if err != nil || !sameValue(again, v, e.Version) {
					t.Fatalf("written and read again: %v\n%#v\n%#v", err, v, again)
				}
			}
		}
		check(p)
		// Mutations rarely keep the checksum right: look behind it as well.
		if len(p) > 10 {
			check(sign(string(p[:len(p)-10]), 10))
		}
		// Any bytes survive as a value.
		v, err := persist.ParseDump(persist.AppendDump(nil, persist.String(p)), len(p))
		if err != nil || !bytes.Equal(v.(persist.String), p) {
			t.Fatalf("as a value: %v", err)
		}
	})
}
