package commands_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"conclave/kv/commands"
	"conclave/resp/command"
)

// events records keyspace events.
type events struct{ seen []string }

func (e *events) Wants(command.Class) bool { return true }

func (e *events) Notify(db int, _ command.Class, event string, key []byte) {
	e.seen = append(e.seen, fmt.Sprintf("%s %s", event, key))
}

func (e *events) take() string {
	defer func() { e.seen = nil }()
	return strings.Join(e.seen, ", ")
}

func TestEventsOfHashesAndSets(t *testing.T) {
	e := &events{}
	l := newLocal(t, commands.Deps{Notifier: e})
	for _, tc := range []struct{ call, want string }{
		{"HSET h a 1 b 2", "hset h"},
		{"HSETNX h a 1", ""},
		{"HSETNX h c 1", "hset h"},
		{"HMSET h a 1", "hset h"},
		{"HINCRBY h a 1", "hincrby h"},
		{"HINCRBYFLOAT h a 1", "hincrbyfloat h"},
		{"HDEL h x", ""},
		{"HDEL h a x", "hdel h"},
		{"HDEL h b c", "hdel h, del h"},
		{"SADD s 1 2 3", "sadd s"},
		{"SADD s 1", ""},
		{"SMOVE s u 1", "srem s, sadd u"},
		{"SMOVE s u 9", ""},
		{"SREM s 2", "srem s"},
		{"SREM s 2", ""},
		{"SMOVE s u 3", "srem s, del s, sadd u"},
		{"SPOP u", "spop u"},
		{"SPOP u 9", "spop u, del u"},
		{"SPOP u 9", ""},
		{"SADD a 1 2", "sadd a"},
		{"SUNIONSTORE d a a", "sunionstore d"},
		{"SINTERSTORE d a", "sinterstore d"},
		{"SDIFFSTORE d a", "sdiffstore d"},
		{"SDIFFSTORE d a a", "del d"},
		{"SDIFFSTORE d a a", ""},
		{"SREM a 1 2", "srem a, del a"},
	} {
		e.seen = nil
		l.do(strings.Fields(tc.call)...)
		if got := e.take(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.call, got, tc.want)
		}
	}
}

// What chance or rounding decided is kept as it was decided.
func TestEffectsOfHashesAndSets(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	effect := func(call string) string {
		t.Helper()
		l.ctx.TakeEffects()
		l.do(strings.Fields(call)...)
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
	for _, tc := range []struct{ call, want string }{
		{"HSET h a 1.5", "itself"},
		{"HINCRBY h n 1", "itself"},
		{"HINCRBYFLOAT h a 1", "HSET h a 2.5"},
		{"SADD s 1", "itself"},
		{"SPOP s", "SREM s 1"},
		{"SADD s x", "itself"},
		{"SPOP s 5", "DEL s"},
	} {
		if got := effect(tc.call); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.call, got, tc.want)
		}
	}
	l.do("SADD", "s", "a", "b", "c", "1")
	words := strings.Fields(effect("SPOP s 3"))
	if len(words) != 5 || words[0] != "SREM" {
		t.Errorf("SPOP s 3: %q", words)
	}
	left := quotedWord.FindAllString(l.do("SMEMBERS", "s"), -1)
	if slices.ContainsFunc(words[2:], func(w string) bool { return slices.Contains(left, `"`+w+`"`) }) {
		t.Errorf("removed %q, left %q", words[2:], left)
	}
}
