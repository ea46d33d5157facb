package commands_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"conclave/fsm"
	"conclave/resp/command"
)

// redis is a connection to a redis-server in cluster mode.
type redis struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// startRedis starts a node of Redis Cluster for the test. ok is false, and what
// is left out is logged, on machines without one.
func startRedis(t *testing.T) (r *redis, ok bool) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Logf("left out: the comparison with redis-server, which is not installed")
		return nil, false
	}
	for range 5 { // a port may be taken between the look and the use
		port, bus := freePort(t), freePort(t)
		cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", bus,
			"--dir", t.TempDir(), "--save", "")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			cmd.Wait()
			close(ended)
		}()
		t.Cleanup(func() {
			cmd.Process.Kill()
			<-ended
		})
		for {
			conn, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				t.Cleanup(func() { conn.Close() })
				conn.SetDeadline(time.Now().Add(30 * time.Second))
				return &redis{t, conn, bufio.NewReader(conn)}, true
			}
			select {
			case <-ended:
			case <-time.After(10 * time.Millisecond):
				continue
			}
			break
		}
	}
	t.Fatal("redis-server doesn't start")
	return nil, false
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func (r *redis) do(line string) string {
	if _, err := fmt.Fprintf(r.conn, "%s\r\n", line); err != nil {
		r.t.Fatal(err)
	}
	var b strings.Builder
	r.reply(&b)
	return dots([]byte(b.String()))
}

// reply copies one reply as it is.
func (r *redis) reply(b *strings.Builder) {
	line, err := r.in.ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	b.WriteString(line)
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n >= 0 {
			if _, err := io.CopyN(b, r.in, int64(n)+2); err != nil {
				r.t.Fatal(err)
			}
		}
	case '%':
		n *= 2
		fallthrough
	case '*', '~':
		for range n {
			r.reply(b)
		}
	}
}

// plain replaces what differs between two nodes anyway.
func plain(s string) string {
	for _, x := range [][2]string{
		{`[0-9a-f]{40}|<a>`, "ID"},
		{`:\d+@\d+`, ":PORT@PORT"},
		{`:(\d{4,5})·\$40·ID`, ":PORT·$$40·ID"},
		{`\$4·port·:\d+`, "$$4·port·:PORT"},
		{`(myself,master - 0) \d+`, "$1 0"},
		{`^[$=]\d+·`, "LEN·"},
	} {
		s = regexp.MustCompile(x[0]).ReplaceAllString(s, x[1])
	}
	return s
}

// TestLikeRedis sends a lone node of Redis Cluster and ours the same commands.
// MEET's words for a bad port are those of later versions.
func TestLikeRedis(t *testing.T) {
	theirs, ok := startRedis(t)
	if !ok {
		return
	}
	w := newWorld(t)
	alone := record("a")
	alone.IP = ""
	w.must(&fsm.Found{ClusterID: "c", Node: alone})
	ours := w.node("a")
	unknown := strings.Repeat("z", 40)
	for _, line := range []string{
		"cluster nodes", "cluster slots", "cluster shards", "cluster myid", "cluster links",
		"cluster addslots 1 2 x", "cluster addslots 1 2 1", "cluster addslots 16384", "cluster addslots 1 3 2 9",
		"cluster addslots 9", "cluster addslots 10 9 x", "cluster addslots 10 10 9", "cluster addslots 9 10 10",
		"cluster addslotsrange 5 4", "cluster addslotsrange 20 30 25 26", "cluster addslotsrange 20 30 40 x",
		"cluster addslotsrange 20 30 9 9", "cluster addslotsrange 20 30 40", "cluster addslotsrange 20 30 50 60",
		"cluster nodes", "cluster slots", "cluster shards",
		"cluster delslots 10", "cluster delslots 9 9", "cluster delslots 9 x", "cluster delslots 9", "cluster delslotsrange 20 21 31 31",
		"cluster delslotsrange 30 20", "cluster delslotsrange 20 21 60 60", "cluster nodes", "cluster slots",
		"cluster setslot x stable", "cluster setslot 22 stable", "cluster setslot 22 stable x", "cluster setslot 22 x", "cluster setslot 22 node",
		"cluster setslot 22 migrating " + unknown, "cluster setslot 5 migrating " + unknown, "cluster setslot 5 importing " + unknown,
		"cluster setslot 22 importing " + unknown, "cluster setslot 22 node " + unknown, "cluster setslot 22 node short",
		"cluster setslot 22 migrating x y", "CLUSTER SETSLOT 5 IMPORTING short",
		"cluster set-config-epoch x", "cluster set-config-epoch -1", "cluster set-config-epoch 0", "cluster set-config-epoch 7",
		"cluster set-config-epoch 8", "cluster bumpepoch", "cluster nodes",
		"cluster replicate " + unknown, "cluster replicate x", "cluster forget " + unknown, "cluster forget x",
		"cluster replicas " + unknown, "cluster slaves x", "cluster count-failure-reports " + unknown,
		"cluster countkeysinslot 5", "cluster countkeysinslot 16384", "cluster countkeysinslot x", "cluster getkeysinslot 5 10",
		"cluster getkeysinslot 5 -1", "cluster getkeysinslot -1 5", "cluster getkeysinslot x 5", "cluster getkeysinslot 5 x", "cluster keyslot foo",
		"cluster failover", "cluster failover x", "cluster failover force x", "cluster reset x", "cluster reset hard x",
		"cluster meet x 1", "cluster meet 127.0.0.1 0", "cluster meet 127.0.0.1 1 2 3",
		"cluster saveconfig", "cluster flushslots", "cluster slots", "cluster shards", "cluster nodes", "asking", "readonly", "readwrite",
	} {
		if got, want := plain(ours.do(line)), plain(theirs.do(line)); got != want {
			t.Errorf("%s\ngot   %s\nredis %s", line, got, want)
		}
	}

	theirs.do("hello 3")
	ours.proto = 3
	for _, line := range []string{"cluster addslotsrange 0 5", "cluster nodes", "cluster slots", "cluster shards", "cluster links", "cluster myid", "cluster bumpepoch"} {
		if got, want := plain(ours.do(line)), plain(theirs.do(line)); got != want {
			t.Errorf("RESP3: %s\ngot   %s\nredis %s", line, got, want)
		}
	}
}

// TestInfoLikeRedis: all of Redis's fields, in its order and with its values.
func TestInfoLikeRedis(t *testing.T) {
	theirs, ok := startRedis(t)
	if !ok {
		return
	}
	ours := newWorld(t).add("a")
	fields := func(reply string) []string {
		return strings.Split(strings.TrimSuffix(reply, "··"), "·")[1:]
	}
	for _, line := range []string{"cluster set-config-epoch 3", "cluster addslots 1 2 3"} {
		ours.do(line)
		theirs.do(line)
	}
	got, want := fields(ours.do("cluster info")), fields(theirs.do("cluster info"))
	if len(got) < len(want) || strings.Join(got[:len(want)], "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nredis\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSpecsLikeRedis: arity and flags as COMMAND INFO shows them.
func TestSpecsLikeRedis(t *testing.T) {
	theirs, ok := startRedis(t)
	if !ok {
		return
	}
	ours := newWorld(t).node("a")
	later := map[string]bool{"myshardid": true, "slot-stats": true, "history": true} // not in 7.0
	for _, s := range ours.table.Lookup([]byte("cluster")).Sub {
		if later[s.Name] {
			continue
		}
		reply := theirs.do("command info cluster|" + s.Name)
		// *1 *10 $len name :arity *n flags...
		parts := strings.Split(reply, "·")
		if len(parts) < 6 {
			t.Errorf("%s: %s", s.Name, reply)
			continue
		}
		if arity := ":" + strconv.Itoa(s.Arity); parts[4] != arity {
			t.Errorf("%s: arity %s, redis %s", s.Name, arity, parts[4])
		}
		n, _ := strconv.Atoi(parts[5][1:])
		flags := strings.Join(parts[6:6+n], " ")
		for f, bit := range map[string]command.Flags{
			"admin": command.Admin, "stale": command.Stale, "noscript": command.NoScript, "no_async_loading": command.NoAsyncLoading,
		} {
			if had := strings.Contains(" "+flags+" ", " +"+f+" "); s.Is(bit) != had {
				t.Errorf("%s: flag %s %v, redis %v", s.Name, f, s.Is(bit), had)
			}
		}
	}
}
