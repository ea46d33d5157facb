package commands_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"conclave/kv"
	"conclave/kv/commands"
)

// transferSamples are values at the edges of the serialised format.
func transferSamples() []string {
	r := rand.New(rand.NewPCG(3, 4))
	binary := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	s := []string{
		"", "a", "hello world", "\x00\xff\r\n", "007", "-0", "3.14",
		strings.Repeat("a", 20), strings.Repeat("a", 21), strings.Repeat("ab", 100), strings.Repeat("\x00", 300),
		strings.Repeat("the quick brown fox jumps over the lazy dog ", 1000),
		strings.Repeat("z", 1<<20), binary(63), binary(64), binary(16383), binary(16384), binary(200000),
		binary(3000) + strings.Repeat("xyz", 3000) + binary(100),
	}
	for i := range 40 {
		s = append(s, strings.Repeat("k", 250+i)+"!")
	}
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, math.MaxInt32, math.MaxInt32 + 1,
		math.MinInt32, math.MinInt32 - 1, math.MaxInt64, math.MinInt64} {
		s = append(s, strconv.FormatInt(n, 10))
	}
	return s
}

// unquote takes a bulk string out of a reply as the tests print it.
func unquote(t *testing.T, reply string) string {
	t.Helper()
	s, err := strconv.Unquote(reply)
	if err != nil {
		t.Fatalf("not a bulk string: %.80s", reply)
	}
	return s
}

func TestPayloadsBothWays(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	d := doer(l)
	if r := startRedis(t, "payloads exchanged with redis-server"); r != nil {
		d = r
	}
	for i, v := range transferSamples() {
		ours, theirs := fmt.Sprint("ours:", i), fmt.Sprint("theirs:", i)
		l.do("SET", ours, v)
		d.do("SET", theirs, v)
		if got := d.do("RESTORE", "from "+ours, "0", unquote(t, l.do("DUMP", ours))); got != "OK" {
			t.Errorf("%.40q from here: %s", v, got)
		}
		if got := l.do("RESTORE", "from "+theirs, "0", unquote(t, d.do("DUMP", theirs))); got != "OK" {
			t.Errorf("%.40q from there: %s", v, got)
		}
		for where, key := range map[doer]string{d: "from " + ours, l: "from " + theirs} {
			if got := where.do("GET", key); got != strconv.Quote(v) {
				t.Errorf("%.40q arrived as %.80s", v, got)
			}
		}
		if a, b := l.do("OBJECT", "ENCODING", "from "+theirs), d.do("OBJECT", "ENCODING", "from "+ours); a != b {
			t.Errorf("%.40q is %s here, %s there", v, a, b)
		}
	}
}

// Collections travel both ways between redis-server and here, small and large.
func TestCollectionsTravel(t *testing.T) {
	store := kv.New(kv.Config{})
	l := newLocal(t, commands.Deps{Store: store})
	r := startRedis(t, "payloads of collections from and to redis-server")
	if r == nil {
		return
	}
	var fields []string
	for i := range 200 {
		fields = append(fields, "field "+strconv.Itoa(i), strconv.Itoa(i))
	}
	elements := []string{"RPUSH", "a", "-17", "", strings.Repeat("x", 300), strings.Repeat("y", 10000)}
	for i := range 3000 {
		elements = append(elements, strconv.Itoa(i*i*i), "element "+strconv.Itoa(i))
	}
	scored := []string{"ZADD"}
	for i := range 200 {
		scored = append(scored, strconv.FormatFloat(float64(i)/7, 'g', -1, 64), fields[2*i])
	}
	made := map[string][]string{
		"zset":       {"ZADD", "1.5", "a", "-3", "b", "inf", "c", "0.1", "", "-inf", strings.Repeat("x", 60), "70000", "70000", "1e300", "d"},
		"large zset": scored,
		"list":       elements[:4],
		"long":       elements,
		"hash":       {"HSET", "f", "v", "n", "-17", "", strings.Repeat("x", 60)},
		"large":      append([]string{"HSET"}, fields...),
		"set":        {"SADD", "a", "-17", "", strings.Repeat("x", 60)}, "large set": append([]string{"SADD"}, fields...),
		"numbers": {"SADD", "1", "-2", "70000", "9223372036854775807", "-9223372036854775808"},
	}
	for key, m := range made {
		cmd := append([]string{m[0], key}, m[1:]...)
		r.do(cmd...)
		l.do(cmd...)
		theirs, ours := "from "+key, "to "+key
		if got := l.do("RESTORE", theirs, "0", unquote(t, r.do("DUMP", key))); got != "OK" {
			t.Errorf("%s from there: %s", key, got)
		}
		if got := r.do("RESTORE", ours, "0", unquote(t, l.do("DUMP", key))); got != "OK" {
			t.Errorf("%s to there: %s", key, got)
		}
		here := func(key string) string {
			return fmt.Sprintf("[%x]", commands.Debug{Store: store}.DigestValue(0, []byte(key), l.now))
		}
		want := r.do("DEBUG", "DIGEST-VALUE", key)
		for where, got := range map[string]string{
			"here": here(key), "from there": here(theirs), "to there": r.do("DEBUG", "DIGEST-VALUE", ours),
		} {
			if got != want {
				t.Errorf("%s %s has digest %s, want %s", key, where, got, want)
			}
		}
	}
}

func TestRestoreExpiryAndAccess(t *testing.T) {
	store := kv.New(kv.Config{})
	l := newLocal(t, commands.Deps{Store: store, MaxBulkLen: func() int64 { return 1000 }})
	l.do("SET", "a", "value")
	payload := unquote(t, l.do("DUMP", "a"))
	quotedPayload := strconv.Quote(payload)

	l.expect("RESTORE b 5000 "+quotedPayload, "OK")
	l.expect("PTTL b", "(integer) 5000")
	// A sum beyond the end of time is the end of time.
	l.expect("RESTORE c 9223372036854775807 "+quotedPayload, "OK")
	l.expect("PEXPIRETIME c", "(integer) 9223372036854775807")
	l.expect("RESTORE d 0 "+quotedPayload+" IDLETIME 1000", "OK")
	l.expect("OBJECT IDLETIME d", "(integer) 1000")
	l.expect("RESTORE d 0 "+quotedPayload+" IDLETIME 9223372036854775807 REPLACE", "OK")
	l.expect("OBJECT IDLETIME d", "(integer) 16777215")
	store.SetLFU(true)
	l.expect("RESTORE e 0 "+quotedPayload+" FREQ 200", "OK")
	l.expect("OBJECT FREQ e", "(integer) 200")
	store.SetLFU(false)

	// An expired key is in nobody's way, and isn't dumped.
	l.expect("SET f x PX 10", "OK")
	l.now += 10
	l.expect("DUMP f", "(nil)")
	l.expect("RESTORE f 0 "+quotedPayload, "OK")

	// Compression doesn't get around proto-max-bulk-len.
	big := newLocal(t, commands.Deps{})
	big.do("SET", "a", strings.Repeat("a", 1001))
	if got := l.do("RESTORE", "big", "0", unquote(t, big.do("DUMP", "a"))); got != "(error) ERR Bad data format" {
		t.Errorf("a string over the limit: %s", got)
	}
}
