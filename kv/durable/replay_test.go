package durable_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"conclave/kv/durable"
)

// templates are commands of every type: K is a key, M a member, N a number, S a
// score, I a stream's ID, P a percentage of chance or a count.
var templates = map[string][]string{
	"string": {
		"set K M", "set K N ex 1000", "set K M nx", "set K M xx keepttl", "append K M", "incr K", "incrbyfloat K 1.25", "setrange K 3 M",
		"getset K M", "getdel K", "getex K ex 500", "getex K persist", "setex K 100 M", "psetex K 100000 M", "setbit K 9 1", "mset K M K N",
		"msetnx K M K N", "setnx K M", "bitop or K K K", "pfadd K M M", "pfmerge K K", "bitfield K incrby u8 0 3",
	},
	"list": {
		"rpush K M N M", "lpush K M", "lpop K", "rpop K 2", "linsert K before M N", "lset K 0 M", "lrem K 0 M", "ltrim K 0 20",
		"rpoplpush K K", "lmove K K left right", "lpushx K M", "lmpop 2 K K left count 2",
	},
	"set": {
		"sadd K M N", "srem K M", "spop K", "spop K 2", "smove K K M", "sunionstore K K K", "sinterstore K K K", "sdiffstore K K K",
	},
	"hash": {
		"hset K M N M M", "hdel K M", "hincrby K M 2", "hincrbyfloat K M 0.1", "hsetnx K M N",
	},
	"zset": {
		"zadd K S M S M", "zadd K gt ch S M", "zincrby K 1.5 M", "zrem K M", "zpopmin K", "zpopmax K 2", "zremrangebyrank K 0 0",
		"zunionstore K 2 K K weights 1 2", "zinterstore K 2 K K", "zrangestore K K 0 3", "zmpop 2 K K max", "geoadd K 13.3 38.1 M",
		"zremrangebyscore K 1 2",
	},
	"stream": {
		"xadd K * M N", "xadd K maxlen ~ 10 * M N", "xadd K maxlen 5 * M N", "xtrim K maxlen 8", "xgroup create K g 0 mkstream", "xgroup create K g2 $",
		"xreadgroup group g c count 2 streams K >", "xreadgroup group g d noack count 1 streams K >", "xautoclaim K g e 0 0 count 2",
		"xgroup createconsumer K g x", "xgroup delconsumer K g d", "xgroup setid K g 0", "xsetid K 9999999999999-0", "xgroup destroy K g2",
	},
	"any": {
		"del K", "unlink K", "expire K 100", "pexpire K 100000 nx", "expireat K 99999999999", "persist K", "rename K K", "copy K K replace",
		"renamenx K K", "touch K", "move K 5",
	},
}

// What is loaded from an append-only file is what was there, whatever commands
// made it.
func TestReplayIsFaithful(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		disk, set := newCrashDisk(), defaults("")
		set.AppendOnly, set.Fsync = true, durable.FsyncNo
		set.Preamble = seed%2 == 0
		n := mustOpen(t, disk, set)
		var log []string
		for i := range 3000 {
			kinds := []string{"string", "list", "set", "hash", "zset", "stream"}
			kind := kinds[r.IntN(len(kinds))]
			from := templates[kind]
			if r.IntN(8) == 0 {
				from = templates["any"]
			}
			line := strings.Fields(from[r.IntN(len(from))])
			for j, w := range line {
				switch w {
				case "K":
					line[j] = fmt.Sprintf("%s%d", kind, r.IntN(4))
				case "M":
					line[j] = fmt.Sprintf("m%d", r.IntN(12))
				case "N":
					line[j] = fmt.Sprint(r.IntN(100))
				case "S":
					line[j] = fmt.Sprintf("%d.5", r.IntN(20))
				}
			}
			n.run(line...)
			log = append(log, strings.Join(line, " "))
			if i == 2000 {
				if err := n.disk.StartRewrite(); err != nil {
					t.Fatal(err)
				}
			}
		}
		n.until("aof_rewrite_in_progress", "0")
		want, streams := n.digest(), n.streams()
		n = n.again(disk, set)
		if got := n.digest(); got != want {
			t.Errorf("seed %d: the data are something else", seed)
		}
		for key, text := range n.streams() {
			if text != streams[key] {
				t.Errorf("seed %d: %s:\n got %q\nwant %q", seed, key, text, streams[key])
				for _, line := range log {
					if strings.Contains(line, key) {
						t.Log(line)
					}
				}
			}
		}
	}
}

// idleTime is the number behind a consumer's name in XPENDING.
var idleTime = regexp.MustCompile(`(\$1\r\n[a-z]\r\n:)\d+`)

// streams is what the streams' groups are, which no digest covers.
func (n *node) streams() map[string]string {
	all := map[string]string{}
	for i := range 4 {
		key := fmt.Sprintf("stream%d", i)
		pending := n.run("xpending", key, "g", "-", "+", "100")
		all[key] = n.run("xinfo", "groups", key) + idleTime.ReplaceAllString(pending, "$1?")
	}
	return all
}
