package e2e

import (
	"path/filepath"
	"testing"
)

// Every family of commands, by the calls that users of a library write: their
// parsers take replies apart that redis-cli only prints.
var families = []string{
	"strings", "bitmaps", "hyperloglogs", "lists", "hashes", "sets", "sortedsets", "geo", "streams",
	"scripts", "functions", "transactions", "pubsub", "standalone",
}

func TestClientFamilies(t *testing.T) {
	t.Parallel()
	programs := goClients(t)
	c := startCluster(t, 3)
	alone := newNode(t)
	alone.start()
	for _, x := range []struct {
		name    string
		command func(t *testing.T) []string
		more    []string // what not every library offers
	}{
		{"go-redis", func(*testing.T) []string { return []string{filepath.Join(programs, "goredis")} }, []string{"sharded"}},
		{"rueidis", func(*testing.T) []string { return []string{filepath.Join(programs, "rueidis")} }, []string{"sharded", "tracking"}},
		{"redigo and redisc", func(*testing.T) []string { return []string{filepath.Join(programs, "redigo")} }, nil},
		{"ioredis", func(t *testing.T) []string { return npmClient(t, "ioredis.mjs") }, []string{"sharded"}},
		{"redis-py", pythonClient, nil},
		{"node-redis", func(t *testing.T) []string { return npmClient(t, "noderedis.mjs") }, []string{"sharded", "tracking"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := startClient(t, append(x.command(t), "families", alone.addr(), c.nodes[0].addr())...)
			for _, f := range append(families[:len(families):len(families)], x.more...) {
				p.expect(f + " ok")
			}
			for _, n := range append(c.nodes, alone) {
				n.do("FLUSHALL")
				n.do("FUNCTION", "FLUSH")
			}
		})
	}
}
