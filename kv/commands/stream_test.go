package commands_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/resp/command"
)

// What 7.2 says otherwise than the 7.0.15 that the script is checked against.
func TestStreamsOf72(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.expect("XADD s 5-18446744073709551615 a 1", `"5-18446744073709551615"`)
	l.expect("XADD s 5-* a 1", "(error) ERR The ID specified in XADD is equal or smaller than the target stream top item")
	l.expect("XREAD STREAMS s s 0", "(error) ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.")
	l.expect("XREADGROUP GROUP g c STREAMS s s 0", "(error) ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.")
	l.expect("XADD s 9-1 a 1", `"9-1"`)
	l.expect("XDEL s 9-1", "(integer) 1")
	l.expect("XSETID s 6", "(error) ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")

	// Consumers are there from their first attempt on, and have been active when
	// they got something.
	l.expect("XGROUP CREATE s g $", "OK")
	l.expect("XREADGROUP GROUP g a STREAMS s >", "(nil)")
	l.expect("XCLAIM s g b 0 1-1", "[]")
	l.expect("XAUTOCLAIM s g c 0 0", `["0-0" [] []]`)
	l.now += 1000
	l.expect("XADD s 10-1 x y", `"10-1"`)
	l.expect("XREADGROUP GROUP g a STREAMS s >", `[["s" [["10-1" ["x" "y"]]]]]`)
	l.now += 50
	l.expect("XINFO CONSUMERS s g", `[["name" "a" "pending" (integer) 1 "idle" (integer) 50 "inactive" (integer) 50]`+
		` ["name" "b" "pending" (integer) 0 "idle" (integer) 1050 "inactive" (integer) -1]`+
		` ["name" "c" "pending" (integer) 0 "idle" (integer) 1050 "inactive" (integer) -1]]`)
	l.expect("XREADGROUP GROUP g a STREAMS s >", "(nil)")
	l.expect("XINFO CONSUMERS s g", `[["name" "a" "pending" (integer) 1 "idle" (integer) 0 "inactive" (integer) 50]`+
		` ["name" "b" "pending" (integer) 0 "idle" (integer) 1050 "inactive" (integer) -1]`+
		` ["name" "c" "pending" (integer) 0 "idle" (integer) 1050 "inactive" (integer) -1]]`)
	l.do("HELLO", "3")
	l.expect("XINFO STREAM s FULL", `{"length" (integer) 2 "radix-tree-keys" (integer) 1 "radix-tree-nodes" (integer) 2 "last-generated-id" "10-1" "max-deleted-entry-id" "9-1" `+
		`"entries-added" (integer) 3 "recorded-first-entry-id" "5-18446744073709551615" "entries" [["5-18446744073709551615" ["a" "1"]] ["10-1" ["x" "y"]]] `+
		`"groups" [{"name" "g" "last-delivered-id" "10-1" "entries-read" (integer) 3 "lag" (integer) 0 "pel-count" (integer) 1 "pending" [["10-1" "a" (integer) 1700000001000 (integer) 1]] `+
		`"consumers" [{"name" "a" "seen-time" (integer) 1700000001050 "active-time" (integer) 1700000001000 "pel-count" (integer) 1 "pending" [["10-1" (integer) 1700000001000 (integer) 1]]} `+
		`{"name" "b" "seen-time" (integer) 1700000000000 "active-time" (integer) -1 "pel-count" (integer) 0 "pending" []} `+
		`{"name" "c" "seen-time" (integer) 1700000000000 "active-time" (integer) -1 "pel-count" (integer) 0 "pending" []}]}]}`)
}

func TestIDsFromTheClock(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.expect("XADD s * a 1", `"1700000000000-0"`)
	l.expect("XADD s * a 1", `"1700000000000-1"`)
	l.now--
	l.expect("XADD s * a 1", `"1700000000000-2"`)
	l.now += 2
	l.expect("XADD s * a 1", `"1700000000001-0"`)
	l.expect("XADD s 1700000000009-* a 1", `"1700000000009-0"`)
	l.expect("XADD s 1700000000010-18446744073709551615 a 1", `"1700000000010-18446744073709551615"`)
	l.expect("XADD s * a 1", `"1700000000011-0"`)
}

func TestEffectsOfStreams(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	claim := func(consumer, id, count, last string) string {
		return "XCLAIM s g " + consumer + " 0 " + id + " TIME 1700000000000 RETRYCOUNT " + count + " FORCE JUSTID LASTID " + last
	}
	for _, tc := range []struct{ call, want string }{
		{"XADD s 1-1 a 1", "itself"},
		{"XADD s * a 1", "XADD s 1700000000000-0 a 1"},
		{"XADD s 1700000000000-* a 1", "XADD s 1700000000000-1 a 1"},
		{"XADD s MAXLEN 2 * a 1", "XADD s MAXLEN 2 1700000000000-2 a 1"},
		{"XADD s MAXLEN ~ 1 * a 1", "XADD s MAXLEN = 3 1700000000000-3 a 1"},
		{"XADD s NOMKSTREAM MINID ~ 1 LIMIT 5 * a 1", "XADD s NOMKSTREAM MINID = 1700000000000-1 1700000000000-4 a 1"},
		{"XTRIM s MAXLEN 1", "itself"},
		{"XTRIM s MAXLEN ~ 0 LIMIT 0", "XTRIM s MAXLEN = 0"},
		{"XADD s * a 1", "XADD s 1700000000000-5 a 1"},
		{"XTRIM s MINID ~ 1700000000000-9", "XTRIM s MINID = 18446744073709551615-18446744073709551615"},
		{"XADD s 1700000000001-1 a 1", "itself"},
		{"XADD s 1700000000001-2 a 1", "itself"},
		{"XGROUP CREATE s g 0", "itself"},
		{"XREAD STREAMS s 0", ""},
		{"XREADGROUP GROUP g c NOACK COUNT 1 STREAMS s >", "XGROUP CREATECONSUMER s g c; XGROUP SETID s g 1700000000001-1 ENTRIESREAD 8"},
		{"XREADGROUP GROUP g c STREAMS s >", claim("c", "1700000000001-2", "1", "1700000000001-2") + "; XGROUP SETID s g 1700000000001-2 ENTRIESREAD 9"},
		{"XREADGROUP GROUP g c STREAMS s >", ""},
		{"XCLAIM s g d 0 1700000000001-2", "XGROUP CREATECONSUMER s g d; " + claim("d", "1700000000001-2", "2", "1700000000001-2")},
		{"XCLAIM s g d 0 7-7 LASTID 1800000000000", "XGROUP SETID s g 1800000000000-0 ENTRIESREAD 9"},
		{"XAUTOCLAIM s g c 0 0 JUSTID", claim("c", "1700000000001-2", "2", "1800000000000-0")},
		{"XDEL s 1700000000001-2", "itself"},
		{"XAUTOCLAIM s g c 0 0", claim("c", "1700000000001-2", "2", "1800000000000-0")},
		{"XACK s g 1700000000001-2", "itself"},
	} {
		if got := l.effect(strings.Fields(tc.call)...); got != tc.want {
			t.Errorf("%s: kept %q, want %q", tc.call, got, tc.want)
		}
	}
}

// What is kept of random programs makes the same streams, whatever the clock says
// when it is run again.
func TestStreamsAreRepeated(t *testing.T) {
	for seed := range uint64(4) {
		stores := [2]*kv.Store{kv.New(kv.Config{}), kv.New(kv.Config{})}
		limits := kv.DefaultLimits()
		limits.StreamEntries = 5
		stores[0].SetLimits(limits)
		l, m := newLocal(t, commands.Deps{Store: stores[0]}), newLocal(t, commands.Deps{Store: stores[1]})
		m.now, m.ctx.Obey = 1, true
		m.ctx.Keep(false)
		g := streamGenerator{generator: generator{rng: rand.New(rand.NewPCG(seed, 6))}, ms: 1, approx: true}
		for range 3000 {
			for _, args := range g.commands() {
				if args[0] == "XREADGROUP" && args[len(args)-1] != ">" {
					continue // that entries were looked at again isn't kept, as in Redis
				}
				l.now += g.rng.Int64N(3)
				l.ctx.TakeEffects()
				before := stores[0].Changes(^uint64(0))
				l.do(args...)
				effects, rewritten := l.ctx.TakeEffects()
				if !rewritten && stores[0].Changes(^uint64(0)) != before {
					m.do(args...)
				}
				for _, e := range effects {
					var again []string
					for _, a := range e {
						again = append(again, string(a))
					}
					if reply := m.do(again...); strings.HasPrefix(reply, "(error)") {
						t.Fatalf("seed %d: %s\nkept as %s\nwhich replies %s", seed, quoted(args), quoted(again), reply)
					}
				}
			}
		}
		for _, key := range streamKeys {
			full := func(l *local) string {
				s := nodeCount.ReplaceAllString(l.do("XINFO", "STREAM", key, "FULL", "COUNT", "0"), "")
				return consumerTimes.ReplaceAllString(s, "")
			}
			if was, is := full(l), full(m); was != is {
				i := 0
				for i < min(len(was), len(is)) && was[i] == is[i] {
					i++
				}
				t.Errorf("seed %d: %s\nwas ...%.200s\n is ...%.200s", seed, key, was[max(0, i-100):], is[max(0, i-100):])
			}
		}
	}
}

// Redis keeps the limit of an approximate trimming, which it wouldn't accept from a
// client.
func TestLimitsInAppendOnlyFiles(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.ctx.Obey = true
	for i := range 20 {
		l.expect(fmt.Sprint("XADD s MAXLEN = 15 LIMIT 3 ", i+1, "-1 a 1"), fmt.Sprintf(`"%d-1"`, i+1))
	}
	l.expect("XLEN s", "(integer) 15")
	l.expect("XTRIM s MAXLEN = 2 LIMIT 3", "(integer) 13")
}

// waiting is a call that waits.
type waiting struct {
	l    *local
	args [][]byte
	w    *command.Wait
}

// block runs a command that has to wait.
func (l *local) block(line string) *waiting {
	l.t.Helper()
	args := words(l.t, line)
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	l.w.Reset(nil)
	l.store.Lock(command.AllPartitions)
	defer l.store.Unlock(command.AllPartitions)
	l.ctx.Spec, l.ctx.Args, l.ctx.NowMs, l.ctx.InExec = l.table.Resolve(b), b, l.now, false
	l.ctx.Spec.Run(l.ctx)
	w := l.ctx.TakeWait()
	if w == nil || l.w.Len() > 0 {
		l.t.Fatalf("%s: doesn't wait but says %q", line, l.w.Bytes())
	}
	copied := make([][]byte, len(b))
	for i := range b {
		copied[i] = slices.Clone(b[i])
		clear(b[i])
	}
	return &waiting{l, copied, w}
}

// retry says what the call answers after a change of a key; "" if it goes on
// waiting.
func (w *waiting) retry(key string) string {
	l := w.l
	l.t.Helper()
	l.w.Reset(nil)
	l.store.Lock(command.AllPartitions)
	defer l.store.Unlock(command.AllPartitions)
	l.ctx.Spec, l.ctx.Args, l.ctx.NowMs = l.table.Resolve(w.args), w.args, l.now
	if w.w.Retry(l.ctx, []byte(key)) != (l.w.Len() > 0) {
		l.t.Errorf("replied %q, or not", l.w.Bytes())
	}
	return string(l.w.Bytes())
}

func (w *waiting) expect(key, want string) {
	w.l.t.Helper()
	if got := w.retry(key); got != want {
		w.l.t.Errorf("after %s: %q, want %q", key, got, want)
	}
}

func TestReadersWait(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.do("XADD", "s", "5-1", "a", "1")
	r := l.block("XREAD COUNT 2 BLOCK 1000 STREAMS s u $ 0")
	if !slices.Equal(r.w.Keys, []int{6, 7}) && !slices.Equal(r.w.Keys, []int{5, 6}) || r.w.Until != l.now+1000 || r.w.Removal || r.w.TimedOut != nil {
		t.Errorf("waits for %v until %d", r.w.Keys, r.w.Until)
	}
	for _, i := range r.w.Keys {
		if k := string(r.args[i]); k != "s" && k != "u" {
			t.Errorf("waits for %q", k)
		}
	}
	r.expect("s", "")
	l.do("SET", "u", "x")
	r.expect("u", "") // not a stream: it doesn't mind
	l.do("DEL", "u")
	r.expect("u", "")
	l.do("XADD", "s", "6-1", "b", "2")
	r.expect("s", "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n6-1\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n")
	if w := l.block("XREAD BLOCK 0 STREAMS none $"); w.w.Until != 0 {
		t.Errorf("waits until %d", w.w.Until)
	}
	l.inExec = true
	l.expect("XREAD BLOCK 0 STREAMS none $", "(nil)")
	l.inExec = false
	l.expect("XREAD BLOCK 9223372036854775807 STREAMS s 0", "(error) ERR timeout is out of range")
}

func TestGroupReadersWait(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
	r := l.block("XREADGROUP GROUP g c BLOCK 0 STREAMS s >")
	if !r.w.Removal {
		t.Error("doesn't care whether the key is removed")
	}
	l.expect("XINFO CONSUMERS s g", `[["name" "c" "pending" (integer) 0 "idle" (integer) 0 "inactive" (integer) -1]]`)
	before := l.store.Changes(command.AllPartitions)
	r.expect("s", "")
	if l.store.Changes(command.AllPartitions) != before {
		t.Error("to look again is a change, which makes it look again")
	}
	l.do("XADD", "s", "1-1", "a", "1")
	l.ctx.TakeEffects()
	r.expect("s", "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n")
	if effects, rewritten := l.ctx.TakeEffects(); !rewritten || len(effects) != 2 {
		t.Errorf("%d effects", len(effects))
	}
	l.expect("XPENDING s g", `[(integer) 1 "1-1" "1-1" [["c" "1"]]]`)
	l.expect("XREADGROUP GROUP g c BLOCK 0 STREAMS s 0", `[["s" [["1-1" ["a" "1"]]]]]`) // history never waits

	const noGroup = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"
	for _, tc := range []struct{ change, want string }{
		{"XGROUP DESTROY s g", noGroup},
		{"DEL s", noGroup},
		{"SET s x", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
	} {
		r := l.block("XREADGROUP GROUP g c BLOCK 0 STREAMS s >")
		l.do(strings.Fields(tc.change)...)
		r.expect("s", tc.want)
		l.do("DEL", "s")
		l.do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
	}
}

func TestEventsOfStreams(t *testing.T) {
	e := &events{}
	l := newLocal(t, commands.Deps{Notifier: e})
	for _, tc := range []struct{ call, want string }{
		{"XADD s 1-1 a 1", "xadd s"},
		{"XADD s MAXLEN 1 2-1 a 1", "xadd s, xtrim s"},
		{"XADD s MAXLEN 5 3-1 a 1", "xadd s"},
		{"XTRIM s MAXLEN 5", ""},
		{"XTRIM s MAXLEN 1", "xtrim s"},
		{"XDEL s 9", ""},
		{"XDEL s 3-1", "xdel s"},
		{"XSETID s 4", "xsetid s"},
		{"XGROUP CREATE s g 0", "xgroup-create s"},
		{"XGROUP CREATE s g 0", ""},
		{"XGROUP CREATECONSUMER s g c", "xgroup-createconsumer s"},
		{"XGROUP CREATECONSUMER s g c", ""},
		{"XADD s 5-1 a 1", "xadd s"},
		{"XREADGROUP GROUP g d STREAMS s >", "xgroup-createconsumer s"},
		{"XCLAIM s g e 0 5-1", "xgroup-createconsumer s"},
		{"XGROUP SETID s g 0", "xgroup-setid s"},
		{"XGROUP DELCONSUMER s g e", "xgroup-delconsumer s"},
		{"XGROUP DELCONSUMER s g e", ""},
		{"XGROUP DESTROY s g", "xgroup-destroy s"},
		{"XGROUP DESTROY s g", ""},
	} {
		e.seen = nil
		l.do(strings.Fields(tc.call)...)
		if got := e.take(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.call, got, tc.want)
		}
	}
}

func BenchmarkXADD(b *testing.B) {
	l := newLocal(b, commands.Deps{})
	args := [][]byte{[]byte("XADD"), []byte("stream"), []byte("*"), []byte("field"), []byte("value of some length")}
	spec := l.table.Resolve(args)
	l.ctx.Spec, l.ctx.Args = spec, args
	l.store.Lock(command.AllPartitions)
	defer l.store.Unlock(command.AllPartitions)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		l.ctx.NowMs++
		l.w.Reset(buf)
		spec.Run(l.ctx)
		l.ctx.TakeEffects()
		buf = l.w.Bytes()
	}
}

func BenchmarkXRANGE100(b *testing.B) {
	l := newLocal(b, commands.Deps{})
	for range 10_000 {
		l.now++
		l.do("XADD", "stream", "*", "field", "value of some length")
	}
	args := [][]byte{[]byte("XRANGE"), []byte("stream"), []byte(fmt.Sprint(testNow + 5000)), []byte("+"), []byte("COUNT"), []byte("100")}
	spec := l.table.Resolve(args)
	l.ctx.Spec, l.ctx.Args = spec, args
	l.store.Lock(command.AllPartitions)
	defer l.store.Unlock(command.AllPartitions)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		l.w.Reset(buf)
		spec.Run(l.ctx)
		buf = l.w.Bytes()
	}
}

func TestStreamCommandsDoNotAllocate(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.do("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
	for _, line := range []string{"XADD s * field value", "XADD s MAXLEN 100 * field value", "XLEN s", "XACK s g 1-1", "XDEL s 1-1"} {
		var args [][]byte
		for _, w := range strings.Fields(line) {
			args = append(args, []byte(w))
		}
		l.ctx.Spec, l.ctx.Args = l.table.Resolve(args), args
		l.store.Lock(command.AllPartitions)
		var buf []byte
		n := testing.AllocsPerRun(300, func() {
			l.ctx.NowMs++
			l.w.Reset(buf)
			l.ctx.Spec.Run(l.ctx)
			l.ctx.TakeEffects()
			buf = l.w.Bytes()
		})
		l.store.Unlock(command.AllPartitions)
		if n != 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}

// What happens within a group is kept, but wakes nobody.
func TestGroupsWakeNobody(t *testing.T) {
	store := kv.New(kv.Config{})
	l := newLocal(t, commands.Deps{Store: store})
	var told int
	store.Observe(kv.Observer{Changed: func(int, int, []byte) { told++ }})
	for _, tc := range []struct {
		call       string
		kept, told bool
	}{
		{"XADD s 1-1 a 1", true, true},
		{"XGROUP CREATE s g 0", true, false},
		{"XREADGROUP GROUP g c STREAMS s >", true, false},
		{"XREADGROUP GROUP g c STREAMS s >", false, false},
		{"XCLAIM s g d 0 1-1", true, false},
		{"XACK s g 1-1", true, false},
		{"XACK s g 1-1", false, false},
		{"XGROUP SETID s g 0", true, false},
		{"XGROUP DELCONSUMER s g d", true, false},
		{"XGROUP DESTROY s g", true, true},
		{"XDEL s 1-1", true, true},
		{"XTRIM s MAXLEN 0", false, false},
		{"XGROUP CREATE u g 0 MKSTREAM", true, true},
	} {
		told = 0
		before := store.Changes(command.AllPartitions)
		l.do(strings.Fields(tc.call)...)
		if kept := store.Changes(command.AllPartitions) != before; kept != tc.kept || told > 0 != tc.told {
			t.Errorf("%s: kept %v, told %v", tc.call, kept, told > 0)
		}
	}
}
