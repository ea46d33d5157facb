package commands_test

import (
	"encoding/binary"
	"hash/crc64"
	"strconv"
	"strings"
	"testing"

	"conclave/kv"
	"conclave/kv/commands"
)

// dumpOf makes a payload of a value's bytes as RESTORE takes them.
func dumpOf(value string) string {
	const jones = 0x95ac9329ac4bc9b5
	b := append([]byte(value), 11, 0)
	return string(binary.LittleEndian.AppendUint64(b, ^crc64.Update(^uint64(0), crc64.MakeTable(jones), b)))
}

// streamTour runs every command on the stream s.
var streamTour = []string{
	"XLEN s", "XRANGE s - +", "XREVRANGE s + -", "XRANGE s 5 +", "XREAD STREAMS s 0", "XINFO STREAM s FULL COUNT 0", "XINFO GROUPS s",
	"XINFO CONSUMERS s g", "XPENDING s g", "XPENDING s g - + 10", "XREADGROUP GROUP g c STREAMS s 0", "XREADGROUP GROUP g c STREAMS s >",
	"XAUTOCLAIM s g d 0 0", "XCLAIM s g c 0 1-1 5-1 FORCE", "XACK s g 1-1 5-1", "XADD s * a 1", "XDEL s 1-1 5-1", "XTRIM s MAXLEN 3",
	"XADD s MAXLEN ~ 2 * b 2 c 3", "XTRIM s MINID 7", "COPY s t REPLACE", "XSETID s 99999999999999", "XGROUP DELCONSUMER s g c",
	"XGROUP DESTROY s g", "XTRIM s MAXLEN 0", "XADD s * a 1", "DUMP s",
}

// What RESTORE takes for a stream can be used like any other.
func FuzzRestoredStream(f *testing.F) {
	l := newLocal(f, commands.Deps{})
	for _, line := range []string{"XADD s 1-1 a 1", "XADD s 5-1 a 1 b 2", "XADD s 6-1 a x", "XADD s 7-9 a 1", "XDEL s 6-1", "XGROUP CREATE s g 0", "XGROUP CREATE s h 5-1",
		"XREADGROUP GROUP g c COUNT 2 STREAMS s >", "XREADGROUP GROUP g d STREAMS s >"} {
		l.do(strings.Fields(line)...)
		payload, err := strconv.Unquote(l.do("DUMP", "s"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload[:len(payload)-10])
	}
	f.Fuzz(func(t *testing.T, value string) {
		l := newLocal(t, commands.Deps{MaxBulkLen: func() int64 { return 1 << 16 }})
		if l.do("RESTORE", "s", "0", dumpOf(value)) != "OK" {
			return
		}
		payload, err := strconv.Unquote(l.do("DUMP", "s"))
		if err != nil {
			t.Fatal(err)
		}
		if got := l.do("RESTORE", "again", "0", payload); got != "OK" {
			t.Fatalf("its own payload: %s", got)
		}
		info := func(key string) string {
			return nodeCount.ReplaceAllString(l.do("XINFO", "STREAM", key, "FULL", "COUNT", "0"), "")
		}
		if a, b := info("s"), info("again"); a != b {
			t.Fatalf("comes back as\n%s\nwas\n%s", b, a)
		}
		for _, line := range streamTour {
			l.now += 3
			l.do(strings.Fields(line)...)
		}
	})
}

// Whatever the arguments: no panic, one reply, and the streams are in order. The
// input is lines of words separated by tabs.
func FuzzStreamCommands(f *testing.F) {
	f.Add(strings.ReplaceAll(strings.Join(streamTour, "\n"), " ", "\t"))
	for _, s := range []string{
		"XGROUP CREATE s g $ MKSTREAM ENTRIESREAD 5\nXADD s 1-* a 1\nXADD s MAXLEN ~ 5 LIMIT 10 * a 1\nXREADGROUP GROUP g c NOACK COUNT 1 BLOCK 5 STREAMS s >",
		"XADD s 18446744073709551615-18446744073709551615 a 1\nXADD s * a 1\nXRANGE s (18446744073709551615-18446744073709551614 +\nXDEL s 18446744073709551615-18446744073709551615",
		"XADD s 1-1 a 1\nXSETID s 5-5 ENTRIESADDED 9 MAXDELETEDID 3\nXADD s NOMKSTREAM MINID = 2 6-1 b 2\nXPENDING s g IDLE 5 - + 10 c\nXINFO STREAM s FULL COUNT 3",
		"XADD s 5-18446744073709551615 a 1\nXADD s 5-* b 1\nXADD s 2305843009213693952-1 c 1\nXREVRANGE s + - COUNT 1\nXTRIM s MINID ~ 7 LIMIT 0",
	} {
		f.Add(strings.ReplaceAll(s, " ", "\t"))
	}
	f.Fuzz(func(t *testing.T, program string) {
		store := kv.New(kv.Config{Databases: 1})
		limits := kv.DefaultLimits()
		limits.StreamEntries = 3
		store.SetLimits(limits)
		l := newLocal(t, commands.Deps{Store: store, MaxBulkLen: func() int64 { return 1 << 16 }})
		for line := range strings.SplitSeq(program, "\n") {
			args := strings.Split(line, "\t")
			if c := strings.ToLower(args[0]); len(c) > 1 && c[0] == 'x' || c == "copy" {
				l.do(args...)
			}
			l.now += 7
		}
		for _, key := range []string{"s", "t"} {
			n := l.do("XLEN", key)
			up, down := strings.Count(l.do("XRANGE", key, "-", "+"), "[["), strings.Count(l.do("XREVRANGE", key, "+", "-"), "[[")
			if up != down && !strings.HasPrefix(n, "(error)") {
				t.Errorf("%s: %s entries, %d upwards, %d downwards", key, n, up, down)
			}
		}
		if l.do("FLUSHALL"); store.Bytes() > 0 {
			store.Compact(t.Context())
			if n := store.Bytes(); n > 0 {
				t.Errorf("%d bytes are left", n)
			}
		}
	})
}
