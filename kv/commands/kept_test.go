package commands_test

import (
	"bytes"
	"strings"
	"testing"

	"conclave/kv/commands"
)

// effect runs a command and returns what is kept of it.
func (l *local) effect(args ...string) string {
	l.t.Helper()
	l.ctx.TakeEffects()
	l.do(args...)
	effects, rewritten := l.ctx.TakeEffects()
	if !rewritten {
		return "itself"
	}
	var all []string
	for _, e := range effects {
		all = append(all, string(bytes.Join(e, []byte(" "))))
	}
	return strings.Join(all, "; ")
}

// What is kept of a call is free of the clock. testNow is 1700000000000.
func TestEffectsOfStringsAndExpiry(t *testing.T) {
	t.Parallel()
	l := newLocal(t, commands.Deps{})
	for _, tc := range []struct{ call, want string }{
		{"SET k v", "itself"},
		{"SET k v EX 10", "SET k v PXAT 1700000010000"},
		{"SET k v NX PX 5", "itself"}, // nothing was changed
		{"SET k w XX GET PX 5", "SET k w PXAT 1700000000005"},
		{"SET k w KEEPTTL", "itself"},
		{"SETEX k 3 v", "SET k v PXAT 1700000003000"},
		{"PSETEX k 3 v", "SET k v PXAT 1700000000003"},
		{"GETEX k EX 7", "PEXPIREAT k 1700000007000"},
		{"GETEX k PERSIST", "PERSIST k"},
		{"GETEX k", "itself"},
		{"EXPIRE k 100", "PEXPIREAT k 1700000100000"},
		{"EXPIRE k 50 GT", "itself"},
		{"PEXPIREAT k 1700000200000", "PEXPIREAT k 1700000200000"},
		{"PERSIST k", "itself"},
		{"GETDEL k", "DEL k"},
		{"GETDEL k", "itself"},
		{"SET n 1.5", "itself"},
		{"INCRBYFLOAT n 1.25", "SET n 2.75 KEEPTTL"},
		{"EXPIRE n -1", "DEL n"},
		{"SET k v", "itself"},
		{"GETEX k EXAT 1", "DEL k"},
	} {
		if got := l.effect(strings.Fields(tc.call)...); got != tc.want {
			t.Errorf("%s: kept %q, want %q", tc.call, got, tc.want)
		}
	}
	l.do("SET", "d", "payload")
	payload := words(t, l.do("DUMP", "d"))[0]
	for _, tc := range []struct{ ttl, option, want string }{
		{"1000", "REPLACE", "RESTORE e 1700000001000 " + payload + " REPLACE ABSTTL"},
		{"0", "REPLACE", "itself"},
		{"1800000000000", "ABSTTL", "itself"}, // BUSYKEY
	} {
		if got := l.effect("RESTORE", "e", tc.ttl, payload, tc.option); got != tc.want {
			t.Errorf("RESTORE %s %s: kept %q, want %q", tc.ttl, tc.option, got, tc.want)
		}
	}
}
