package peer

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"conclave/fsm"
)

// examples are the hex blocks of FORMAT.md, in order.
func examples(t *testing.T) [][]byte {
	t.Helper()
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, part := range strings.Split(string(doc), "```hex\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			t.Fatalf("example %d: %v", len(out), err)
		}
		out = append(out, b)
	}
	return out
}

func fill(c byte, n int) string { return strings.Repeat(string(c), n) }

func TestFormatExamples(t *testing.T) {
	ex := examples(t)
	if len(ex) != 7 { // the last one is verified in raftnode
		t.Fatalf("%d examples", len(ex))
	}
	h, err := parseHello(ex[0])
	if err != nil {
		t.Fatal(err)
	}
	want := hello{
		Kind: KindRaft, Flags: flagAuth,
		From: Identity{
			ClusterID: fill('a', 40), Recovery: 2, Node: fsm.NodeID(fill('b', 40)), Attempt: 3,
			Generation: 4, Incarnation: fsm.Incarnation{Count: 5, Random: 6},
		},
		Want: Want{ClusterID: fill('a', 40), Node: fsm.NodeID(fill('c', 40)), Generation: 7},
	}
	copy(want.Nonce[:], fill(0x11, 32))
	if h != want {
		t.Errorf("hello\n got %+v\nwant %+v", h, want)
	}
	if got := h.append(nil); !bytes.Equal(got, ex[0]) || len(got) != helloSize {
		t.Errorf("hello encodes as %x", got)
	}
	c, err := parseChallenge(ex[1])
	if err != nil || c.Flags != flagAuth || !bytes.Equal(c.append(nil), ex[1]) {
		t.Errorf("challenge %+v, %v", c, err)
	}
	secret := []byte("open sesame")
	if p := prove(secret, labelDialer, ex[0], ex[1]); !bytes.Equal(p[:], ex[2]) {
		t.Errorf("dialer's proof %x", p)
	}
	v, err := parseVerdict(ex[3])
	if err != nil || v.From.Node != fsm.NodeID(fill('c', 40)) || v.From.Generation != 7 {
		t.Fatalf("verdict %+v, %v", v, err)
	}
	if p := prove(secret, labelListener, ex[0], ex[1], ex[2], v.appendSigned(nil)); p != v.Proof {
		t.Errorf("listener's proof %x", p)
	}

	raw, err := readFrame(bufio.NewReader(bytes.NewReader(ex[4])))
	if err != nil {
		t.Fatal(err)
	}
	req, err := parseRequest(raw)
	if err != nil || !reflect.DeepEqual(req, request{id: 9, timeout: 1500 * time.Millisecond, method: "hello", body: []byte("{}")}) {
		t.Errorf("request %+v, %v", req, err)
	}
	if got, err := req.append(nil); err != nil || !bytes.Equal(got, ex[4]) {
		t.Errorf("request encodes as %x, %v", got, err)
	}
	raw, err = readFrame(bufio.NewReader(bytes.NewReader(ex[5])))
	if err != nil {
		t.Fatal(err)
	}
	ans, err := parseAnswer(raw)
	if err != nil || ans.id != 9 || ans.outcome != outcomeOK || string(ans.body) != "{}" {
		t.Errorf("answer %+v, %v", ans, err)
	}
	if got := ans.append(nil); !bytes.Equal(got, ex[5]) {
		t.Errorf("answer encodes as %x", got)
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add(bytes.Repeat([]byte("CNCL\x01P\x01\x00"), 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= helloSize {
			b := b[:helloSize]
			if h, err := parseHello(b); err == nil {
				again, err := parseHello(h.append(nil))
				if err != nil || again != h {
					t.Fatalf("hello %+v became %+v, %v", h, again, err)
				}
			}
		}
		if len(b) >= challengeSize {
			if c, err := parseChallenge(b[:challengeSize]); err == nil {
				if again, err := parseChallenge(c.append(nil)); err != nil || again != c {
					t.Fatalf("challenge %+v became %+v, %v", c, again, err)
				}
				_ = c.Status.err()
			}
		}
		if len(b) >= verdictSize {
			if v, err := parseVerdict(b[:verdictSize]); err == nil {
				again, err := parseVerdict(append(v.appendSigned(nil), v.Proof[:]...))
				if err != nil || again != v {
					t.Fatalf("verdict %+v became %+v, %v", v, again, err)
				}
			}
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x15\x01\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x05\xdc\x05hello{}"))
	f.Add([]byte("\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x00\x00\x00\x09\x00{}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			raw, err := readFrame(r)
			if err != nil {
				return
			}
			if cap(raw) > 2*len(b)+2*readChunk {
				t.Fatalf("%d bytes allocated for %d received", cap(raw), len(b))
			}
			if q, err := parseRequest(raw); err == nil {
				enc, err := q.append(nil)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := parseRequest(enc[4:]); err != nil || !reflect.DeepEqual(q, again) {
					t.Fatalf("request %+v became %+v, %v", q, again, err)
				}
			}
			if a, err := parseAnswer(raw); err == nil {
				if again, err := parseAnswer(a.append(nil)[4:]); err != nil || !reflect.DeepEqual(a, again) {
					t.Fatalf("answer %+v became %+v, %v", a, again, err)
				}
			}
		}
	})
}
