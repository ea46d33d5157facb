package nodesconf_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"conclave/fsm"
	"conclave/fsm/nodesconf"
	"conclave/fsm/slot"
)

var (
	idA = fsm.NodeID(strings.Repeat("a", 40))
	idB = fsm.NodeID(strings.Repeat("b", 40))
	idC = fsm.NodeID(strings.Repeat("c", 40))
	idX = fsm.ShardID(strings.Repeat("1", 40))
	idY = fsm.ShardID(strings.Repeat("2", 40))
)

// sample is a cluster of two primaries, one with a failed replica, and open slots.
func sample(t *testing.T) *fsm.State {
	t.Helper()
	s := fsm.Empty()
	node := func(id fsm.NodeID, shard fsm.ShardID, port uint16) fsm.Node {
		return fsm.Node{ID: id, Attempt: 1, Shard: shard, IP: "127.0.0.1", Port: port, BusPort: port + 10}
	}
	a, b, c := node(idA, idX, 21571), node(idB, idY, 21572), node(idC, idY, 21573)
	a.Epoch, b.Epoch, c.Primary = 1, 2, idB
	b.Hostname, b.HumanName, b.Flags = "b.example", "bee", fsm.NoFailover
	for i, op := range []fsm.Op{
		&fsm.Found{ClusterID: "c", Node: a, Slots: []slot.Range{{Start: 0, End: 5}, {Start: 9, End: 9}}},
		&fsm.Join{ClusterID: "c", Node: b, Via: idA, Slots: []slot.Range{{Start: 10000, End: 16383}}},
		&fsm.Join{ClusterID: "c", Node: c, Via: idA},
		&fsm.SetFail{ID: idC, Attempt: 1, Fail: true},
		&fsm.SetMigrating{Slot: 9, Node: idA, To: idB},
		&fsm.SetImporting{Slot: 7, Node: idA, From: idB},
	} {
		var res fsm.Result
		if s, res = s.Apply(uint64(i+1), &fsm.Entry{Op: op}); res.Refusal != nil {
			t.Fatalf("%s: %v", fsm.Name(op), res.Refusal)
		}
	}
	return s
}

func TestWrite(t *testing.T) {
	t.Parallel()
	got := string(nodesconf.Write(sample(t), idA))
	want := strings.NewReplacer("A", string(idA), "B", string(idB), "C", string(idC), "X", string(idX), "Y", string(idY)).Replace(
		`A 127.0.0.1:21571@21581,,tls-port=0,shard-id=X myself,master - 0 0 1 connected 0-5 9 [7-<-B] [9->-B]
B 127.0.0.1:21572@21582,b.example,tls-port=0,nodename=bee,shard-id=Y master,nofailover - 0 0 2 connected 10000-16383
C 127.0.0.1:21573@21583,,tls-port=0,shard-id=Y slave,fail B 0 0 2 disconnected
vars current lastVoteEpoch 0
`)
	want = strings.Replace(want, "vars current ", "vars currentEpoch 2 ", 1)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	f, err := nodesconf.Parse(bytes.NewReader(nodesconf.Write(sample(t), idA)))
	if err != nil {
		t.Fatal(err)
	}
	want := &nodesconf.File{CurrentEpoch: 2, Nodes: []nodesconf.Node{
		{
			Line: 1, ID: idA, IP: "127.0.0.1", Port: 21571, BusPort: 21581, Shard: idX, Myself: true, Epoch: 1,
			Slots:     []slot.Range{{Start: 0, End: 5}, {Start: 9, End: 9}},
			Migrating: []fsm.Mark{{Slot: 9, Node: idA, Peer: idB}},
			Importing: []fsm.Mark{{Slot: 7, Node: idA, Peer: idB}},
		},
		{
			Line: 2, ID: idB, IP: "127.0.0.1", Port: 21572, BusPort: 21582, Hostname: "b.example", HumanName: "bee",
			Shard: idY, NoFailover: true, Epoch: 2, Slots: []slot.Range{{Start: 10000, End: 16383}},
		},
		{
			Line: 3, ID: idC, IP: "127.0.0.1", Port: 21573, BusPort: 21583, Shard: idY,
			Replica: true, Failed: true, Primary: idB, Epoch: 2,
		},
	}}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
	if f.Self().ID != idA || f.Node(idC) == nil || f.Node("nobody") != nil {
		t.Error("Self or Node finds the wrong one")
	}
}

func TestParseVersions(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]nodesconf.Node{
		"redis-3.conf":   {Port: 7000, BusPort: 17000, IP: "127.0.0.1"},
		"redis-5.conf":   {Port: 7000, BusPort: 17000, IP: "127.0.0.1"},
		"redis-7.0.conf": {Port: 7000, BusPort: 17000, IP: "::1", Hostname: "a.example"},
		"redis-7.2.conf": {Port: 7000, BusPort: 17000, IP: "127.0.0.1", Shard: idX, HumanName: "first"},
		"valkey-8.conf":  {Port: 7000, TLSPort: 7100, BusPort: 17000, IP: "127.0.0.1", Shard: idX},
		"tls.conf":       {Port: 7000, TLSPort: 7100, BusPort: 17000, IP: "127.0.0.1", Shard: idX},
		"fresh-7.0.conf": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile("testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := nodesconf.Parse(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			n := *f.Self()
			got := nodesconf.Node{
				Port: n.Port, TLSPort: n.TLSPort, BusPort: n.BusPort, IP: n.IP,
				Hostname: n.Hostname, HumanName: n.HumanName, Shard: n.Shard,
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	ok := string(idA) + " 127.0.0.1:7000@17000 myself,master - 0 0 1 connected"
	for name, c := range map[string]struct{ in, want string }{
		"few fields":     {"abc def", "line 1: 2 fields, at least 8 are needed"},
		"bad id":         {"xyz 1.2.3.4:1@2 myself,master - 0 0 1 connected", `line 1: node id is not 40 characters of 0-9a-z: "xyz"`},
		"no port":        {string(idA) + " 1.2.3.4 myself - 0 0 1 connected", "address without a port"},
		"bad port":       {string(idA) + " 1.2.3.4:70000@1 myself - 0 0 1 connected", `port is not a port: "70000"`},
		"unknown aux":    {string(idA) + " 1.2.3.4:7@1,,colour=red myself - 0 0 1 connected", `unknown field "colour"`},
		"unknown flag":   {string(idA) + " 1.2.3.4:7@1 myself,king - 0 0 1 connected", `unknown flag "king"`},
		"bad epoch":      {string(idA) + " 1.2.3.4:7@1 myself - 0 0 x connected", `config epoch is not a number: "x"`},
		"bad slot":       {ok + " 16384", `invalid slot range "16384"`},
		"twice a slot":   {ok + " 1-3 2", "slot 2 is claimed on line 1 already"},
		"bad open slot":  {ok + " [5->x]", `bad open slot "[5->x]"`},
		"unended":        {ok + " [5->-" + string(idB), "bad open slot"},
		"two myself":     {ok + "\n" + strings.Replace(ok, string(idA), string(idB), 1), "line 2: second node flagged myself, the first is on line 1"},
		"twice a node":   {ok + "\n" + ok, "is on line 1 already"},
		"no myself":      {strings.Replace(ok, "myself,", "", 1), "no node is flagged myself"},
		"odd vars":       {ok + "\nvars currentEpoch", "line 2: odd number of words after vars"},
		"vars":           {ok + "\nvars currentEpoch x", `line 2: currentEpoch is not a number: "x"`},
		"blank":          {"\n\n", "no node"},
		"several errors": {"a b\n\nc d", "line 1: 2 fields, at least 8 are needed\nline 3: 2 fields"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := nodesconf.Parse(strings.NewReader(c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := nodesconf.Parse(strings.NewReader("")); !errors.Is(err, nodesconf.ErrEmpty) {
		t.Errorf("empty file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if !file.IsDir() {
			b, err := os.ReadFile("testdata/" + file.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := nodesconf.Parse(bytes.NewReader(b))
		if err != nil {
			return
		}
		if file.Self() == nil {
			t.Error("a file without myself is accepted")
		}
		for _, n := range file.Nodes {
			for _, r := range n.Slots {
				if !r.Valid() {
					t.Errorf("node %s has slots %v", n.ID, r)
				}
			}
		}
	})
}
