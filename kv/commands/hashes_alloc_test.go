package commands_test

import (
	"fmt"
	"strings"
	"testing"

	"conclave/kv/commands"
	"conclave/resp/command"
)

// The commands on hashes and sets that clients send most leave no garbage behind,
// whatever the size of the collection.
func TestHotHashAndSetCommandsDoNotAllocate(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	for i := range 1000 {
		l.do("HSET", "large", fmt.Sprint("f", i), "v")
		l.do("SADD", "members", fmt.Sprint("m", i))
	}
	l.do("HSET", "h", "f", "v", "n", "1")
	l.do("SADD", "ints", "1", "2", "300")
	l.do("SADD", "s", "a", "b")
	for i := range 500 {
		l.do("SADD", "popped", fmt.Sprint("m", i))
	}
	l.ctx.Keep(false)
	var buf []byte
	for _, line := range []string{
		"HSET h f w", "HGET h f", "HMGET h f n none", "HINCRBY h n 1", "HEXISTS h f", "HLEN h", "HGETALL h", "HDEL h none", "HSTRLEN h f", "HSETNX h f v",
		"HSET large f1 w", "HGET large f7", "HINCRBY large n 1", "HLEN large", "HGETALL large", "HKEYS large", "HRANDFIELD large",
		"SADD ints 2", "SADD s a", "SADD members m1", "SISMEMBER ints 300", "SISMEMBER s b", "SISMEMBER members m999", "SMISMEMBER s a x",
		"SCARD members", "SMEMBERS ints", "SMEMBERS s", "SMEMBERS members", "SRANDMEMBER members", "SRANDMEMBER ints", "SREM s none", "SPOP popped",
	} {
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
