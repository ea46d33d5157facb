package commands_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/resp/command"
)

// Time passes between commands.
func TestExpiryOverTime(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.expect("SET a v PX 1500", "OK")
	l.expect("SET b v PXAT 1", "OK")
	l.expect("DBSIZE", "(integer) 2")
	l.expect("EXISTS b", "(integer) 0")
	l.expect("TTL a", "(integer) 2")
	l.now++
	l.expect("TTL a", "(integer) 1")
	l.expect("PTTL a", "(integer) 1499")
	l.now += 1498
	l.expect("PTTL a", "(integer) 1")
	l.expect("TTL a", "(integer) 0")
	l.expect("KEYS *", `["a"]`)
	l.now++
	l.expect("DBSIZE", "(integer) 1")
	l.expect("KEYS *", "[]")
	l.expect("SCAN 0 COUNT 100", `["0" []]`)
	l.expect("RANDOMKEY", "(nil)")
	l.expect("TTL a", "(integer) -2")
	l.expect("SET a v NX", "OK")
	l.expect("PEXPIRE a 10", "(integer) 1")
	l.now += 10
	l.expect("INCR a", "(integer) 1")
	l.expect("TTL a", "(integer) -1")
	l.expect("PEXPIRE a 10", "(integer) 1")
	l.now += 10
	l.expect("APPEND a x", "(integer) 1")
	l.expect("SET r v PX 5", "OK")
	l.now += 5
	l.expect("RENAME r s", "(error) ERR no such key")
	l.expect("COPY r s", "(integer) 0")
	l.expect("SET r v PX 5", "OK")
	l.expect("SET s v", "OK")
	l.now += 5
	l.expect("RENAMENX s r", "(integer) 1")
	l.expect("TTL r", "(integer) -1")
}

func TestObjectFollowsThePolicy(t *testing.T) {
	store := kv.New(kv.Config{})
	l := newLocal(t, commands.Deps{Store: store})
	l.expect("SET a v", "OK")
	l.now += 10_000
	l.expect("OBJECT IDLETIME a", "(integer) 10")
	l.expect("TTL a", "(integer) -1")
	l.expect("EXISTS a", "(integer) 1")
	l.expect("TYPE a", "string")
	l.expect("OBJECT IDLETIME a", "(integer) 10")
	l.session.noTouch = true
	l.expect("GET a", `"v"`)
	l.expect("OBJECT IDLETIME a", "(integer) 10")
	l.expect("TOUCH a", "(integer) 1")
	l.expect("OBJECT IDLETIME a", "(integer) 0")
	l.session.noTouch = false
	l.now += 5000
	l.expect("GET a", `"v"`)
	l.expect("OBJECT IDLETIME a", "(integer) 0")
	store.SetLFU(true)
	l.expect("SET f v", "OK")
	l.expect("OBJECT FREQ f", "(integer) 5")
	if got := l.do("OBJECT", "IDLETIME", "f"); !strings.HasPrefix(got, "(error) ERR An LFU maxmemory policy is selected") {
		t.Error(got)
	}
}

func TestDebugLooksInside(t *testing.T) {
	store := kv.New(kv.Config{})
	d, l := commands.Debug{Store: store}, newLocal(t, commands.Deps{Store: store})
	l.do("SET", "n", "12345678901")
	l.do("SET", "s", "hello")
	l.now += 3000
	store.Lock(command.AllPartitions)
	defer store.Unlock(command.AllPartitions)
	for key, want := range map[string]string{
		"n": "refcount:1 encoding:int serializedlength:12 lru:5501184 lru_seconds_idle:3",
		"s": "refcount:1 encoding:embstr serializedlength:6 lru:5501184 lru_seconds_idle:3",
	} {
		got, ok := d.Object(0, []byte(key), l.now)
		if _, got, _ = strings.Cut(got, "0x0 "); !ok || got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
		if n, ok := d.Usage(0, []byte(key), 0, l.now); !ok || n < 16 || n > 200 {
			t.Errorf("%s: %d bytes", key, n)
		}
	}
	if got := fmt.Sprintf("%x", d.DigestValue(0, []byte("s"), l.now)); got != "36b23a1456b2dce2c3ed252c456761301dba8060" {
		t.Errorf("digest of a value: %s", got)
	}
	if _, ok := d.Object(0, []byte("x"), l.now); ok || d.DigestValue(0, []byte("x"), l.now) != [20]byte{} {
		t.Error("an absent key has an inside")
	}
	if got := fmt.Sprintf("%x", d.Digest(l.now)); got == fmt.Sprintf("%x", [20]byte{}) {
		t.Error("no digest")
	}
}

// What counts as hit or miss.
func TestHitsAndMisses(t *testing.T) {
	store := kv.New(kv.Config{})
	l := newLocal(t, commands.Deps{Store: store})
	l.expect("SET a v", "OK")
	for _, tc := range []struct {
		line         string
		hits, misses int64
	}{
		{"GET a", 1, 0}, {"GET x", 0, 1}, {"MGET a x a", 2, 1}, {"EXISTS a x", 1, 1}, {"TTL a", 1, 0}, {"TYPE x", 0, 1},
		{"OBJECT ENCODING a", 1, 0}, {"STRLEN x", 0, 1}, {"TOUCH a", 1, 0}, {"GETRANGE a 0 0", 1, 0}, {"LCS a x", 1, 1},
		{"SET a v", 0, 0}, {"SET a v NX", 0, 0}, {"SET a v GET", 1, 0}, {"GETSET a v", 1, 0}, {"APPEND a v", 0, 0}, {"INCR n", 0, 0},
		{"EXPIRE a 100", 0, 0}, {"PERSIST a", 0, 0}, {"GETEX a", 1, 0}, {"COPY a b", 1, 0}, {"RENAME b c", 0, 0}, {"DEL a x", 0, 0},
		{"GETDEL x", 0, 1}, {"KEYS *", 0, 0}, {"DBSIZE", 0, 0},
	} {
		store.ResetStats()
		l.do(words(t, tc.line)...)
		if s := store.Stats(); s.Hits != tc.hits || s.Misses != tc.misses {
			t.Errorf("%s: %d hits, %d misses; want %d, %d", tc.line, s.Hits, s.Misses, tc.hits, tc.misses)
		}
	}
}

var scanReply = regexp.MustCompile(`^\["(\d+)" \[(.*)\]\]$`)

// scanAll iterates to the end and returns the keys, each once, in order.
func scanAll(t *testing.T, do func(...string) string, options ...string) []string {
	t.Helper()
	cursor, seen := "0", map[string]bool{}
	for range 10_000 {
		reply := do(append([]string{"SCAN", cursor}, options...)...)
		m := scanReply.FindStringSubmatch(reply)
		if m == nil {
			t.Fatalf("SCAN %s: %s", cursor, reply)
		}
		for _, k := range strings.Fields(m[2]) {
			seen[strings.Trim(k, `"`)] = true
		}
		if cursor = m[1]; cursor == "0" {
			var keys []string
			for k := range seen {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			return keys
		}
	}
	t.Fatal("SCAN doesn't end")
	return nil
}

func keysReply(reply string) []string {
	keys := strings.Fields(strings.ReplaceAll(strings.Trim(reply, "[]"), `"`, ""))
	slices.Sort(keys)
	return keys
}

// SCAN and KEYS agree with a filter over all keys, also where the pattern
// limits them to one slot, and also within a transaction.
func TestPatterns(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	var all []string
	for i := range 300 {
		for _, f := range []string{"k%d", "{a}k%d", "{b}:%d", "x{a}%d", "{}a%d", "[%d", "{a%d}z"} {
			k := fmt.Sprintf(f, i)
			all = append(all, k)
			l.do("SET", k, "v")
		}
	}
	for _, inExec := range []bool{false, true} {
		l.inExec = inExec
		for _, p := range []string{"*", "k1?", "{a}*", "{a}k1*", "{b}:1?", "x{a}*", "{}a*", "{}*}", `\[1*`, "[[]*", "k17", "{a*}z", "{a?}z", "{a}", "{", "*{a}*", "nothing*", ""} {
			var want []string
			for _, k := range all {
				if command.Glob([]byte(p), []byte(k), false) {
					want = append(want, k)
				}
			}
			slices.Sort(want)
			if got := scanAll(t, l.do, "MATCH", p, "COUNT", "7"); !slices.Equal(got, want) {
				t.Errorf("SCAN MATCH %q: %d keys, want %d", p, len(got), len(want))
			}
			if got := keysReply(l.do("KEYS", p)); !slices.Equal(got, want) {
				t.Errorf("KEYS %q: %d keys, want %d", p, len(got), len(want))
			}
		}
	}
	l.inExec = false
	if got := scanAll(t, l.do, "TYPE", "string"); len(got) != len(all) {
		t.Errorf("SCAN TYPE string: %d keys of %d", len(got), len(all))
	}
	if got := scanAll(t, l.do, "TYPE", "list"); len(got) != 0 {
		t.Errorf("SCAN TYPE list: %d keys", len(got))
	}
}

func TestStringsStayWithinTheLimit(t *testing.T) {
	limit := int64(100)
	l := newLocal(t, commands.Deps{MaxBulkLen: func() int64 { return limit }})
	l.do("SET", "a", strings.Repeat("x", 90))
	const long = "(error) ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	l.expect("APPEND a 0123456789", "(integer) 100")
	l.expect("APPEND a 0", long)
	l.expect("SETRANGE a 99 0", "(integer) 100")
	l.expect("SETRANGE a 100 0", long)
	l.expect("SETRANGE b 4294967296 0", long)
	limit = 101 // CONFIG SET
	l.expect("APPEND a 0", "(integer) 101")
	l.expect("EXISTS b", "(integer) 0")
}

func TestRESP3Shapes(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.do("HELLO", "3")
	l.expect("GET nokey", "(nil)")
	l.expect("MSET a abc b bc", "OK")
	l.expect("LCS a b IDX", `{"matches" [[[(integer) 1 (integer) 2] [(integer) 0 (integer) 1]]] "len" (integer) 2}`)
	l.expect("MGET a nokey", `["abc" (nil)]`)
}

func TestSpecsHaveWhatClientsAskFor(t *testing.T) {
	table, err := command.Build(commands.Specs(commands.Deps{Store: kv.New(kv.Config{})})...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table.All() {
		if s.Group == "" || s.Since == "" || s.Cost == "" || s.Doc == "" {
			t.Errorf("%s: group %q, since %q, cost %q, doc %q", s.FullName(), s.Group, s.Since, s.Cost, s.Doc)
		}
	}
}

// The commands that clients send most leave no garbage behind.
func TestHotCommandsDoNotAllocate(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.do("SET", "key", "some value")
	l.do("SET", "n", "1")
	var buf []byte
	for _, line := range []string{"GET key", "SET key another", "INCR n", "GET n", "EXPIRE key 100", "TTL key", "EXISTS key", "STRLEN key", "MGET key n"} {
		var args [][]byte
		for _, w := range strings.Fields(line) {
			args = append(args, []byte(w))
		}
		spec := l.table.Resolve(args)
		l.ctx.Spec, l.ctx.Args, l.ctx.NowMs = spec, args, l.now
		l.store.Lock(command.AllPartitions)
		n := testing.AllocsPerRun(100, func() {
			l.w.Reset(buf)
			spec.Run(l.ctx)
			buf = l.w.Bytes()
		})
		l.store.Unlock(command.AllPartitions)
		if n != 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}
