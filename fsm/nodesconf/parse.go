package nodesconf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"conclave/fsm"
	"conclave/fsm/slot"
)

// File is what a file says.
type File struct {
	Nodes         []Node // in the order of the file, without those in handshake
	CurrentEpoch  uint64
	LastVoteEpoch uint64
}

// Node is one line.
type Node struct {
	Line int
	ID   fsm.NodeID

	IP        string // may be empty
	Port      uint16
	TLSPort   uint16
	BusPort   uint16
	Hostname  string
	HumanName string
	Shard     fsm.ShardID // "" in files of Redis before 7.2

	Myself, Replica    bool
	Suspected, Failed  bool // fail?, fail
	NoAddr, NoFailover bool

	Primary   fsm.NodeID // of a replica, if it is known
	Epoch     uint64     // of a replica its primary's
	Slots     []slot.Range
	Migrating []fsm.Mark // open slots, of Myself only
	Importing []fsm.Mark
}

// Self is the node that wrote the file.
func (f *File) Self() *Node {
	for i := range f.Nodes {
		if f.Nodes[i].Myself {
			return &f.Nodes[i]
		}
	}
	return nil
}

// Node is the node with this id, or nil.
func (f *File) Node(id fsm.NodeID) *Node {
	for i := range f.Nodes {
		if f.Nodes[i].ID == id {
			return &f.Nodes[i]
		}
	}
	return nil
}

// ErrEmpty is the error for a file without any line: Redis makes such a file
// before it first writes it, so it is as good as none.
var ErrEmpty = errors.New("the file is empty")

const (
	maxLine   = 1024 + slot.Count*128 // as in Redis
	maxNodes  = 16384
	maxErrors = 10
)

// Parse reads a file of Redis 3 to 7.2 or Valkey. What it can't read it
// reports with the number of the line, up to ten lines at once.
func Parse(r io.Reader) (*File, error) {
	p := &parser{file: &File{}, ids: map[fsm.NodeID]int{}, owners: map[int]int{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() && len(p.errs) < maxErrors {
		n++
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		p.line = n
		if fields[0] == "vars" {
			p.vars(fields[1:])
		} else {
			p.node(fields)
		}
	}
	if err := lines.Err(); err != nil {
		p.line = n + 1
		p.fail("%w", err)
	}
	return p.finish(n)
}

type parser struct {
	file   *File
	line   int
	errs   []error
	ids    map[fsm.NodeID]int // line of each node
	owners map[int]int        // line that claims a slot
	self   int                // line flagged myself
}

func (p *parser) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("line %d: "+format, append([]any{p.line}, args...)...))
}

func (p *parser) finish(lines int) (*File, error) {
	if len(p.errs) == 0 && len(p.file.Nodes) == 0 {
		if lines == 0 {
			return nil, fmt.Errorf("nodes.conf: %w", ErrEmpty)
		}
		p.errs = append(p.errs, errors.New("no node"))
	} else if len(p.errs) == 0 && p.self == 0 {
		p.errs = append(p.errs, errors.New("no node is flagged myself"))
	}
	if len(p.errs) > 0 {
		return nil, fmt.Errorf("nodes.conf: %w", errors.Join(p.errs...))
	}
	return p.file, nil
}

func (p *parser) vars(fields []string) {
	if len(fields)%2 != 0 {
		p.fail("odd number of words after vars")
		return
	}
	for i := 0; i < len(fields); i += 2 {
		var dst *uint64
		switch fields[i] {
		case "currentEpoch":
			dst = &p.file.CurrentEpoch
		case "lastVoteEpoch":
			dst = &p.file.LastVoteEpoch
		default:
			continue // as in Redis
		}
		*dst = p.number(fields[i], fields[i+1])
	}
}

func (p *parser) number(name, text string) uint64 {
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		p.fail("%s is not a number: %q", name, text)
	}
	return v
}

func (p *parser) node(f []string) {
	if len(f) < 8 {
		p.fail("%d fields, at least 8 are needed", len(f))
		return
	}
	before := len(p.errs)
	n := Node{Line: p.line, ID: p.id("node id", f[0])}
	handshake := p.flags(&n, f[2])
	p.address(&n, f[1])
	if f[3] != "-" {
		n.Primary = p.id("master id", f[3])
	}
	n.Epoch = p.number("config epoch", f[6])
	if n.Myself {
		if p.self != 0 {
			p.fail("second node flagged myself, the first is on line %d", p.self)
		}
		p.self = p.line
	}
	if other, ok := p.ids[n.ID]; ok {
		p.fail("node %s is on line %d already", n.ID, other)
	}
	p.ids[n.ID] = p.line
	for _, field := range f[8:] {
		if len(p.errs)-before >= maxErrors {
			break
		}
		p.slots(&n, field)
	}
	if len(p.errs) == before && (n.Myself || !handshake) {
		if len(p.file.Nodes) >= maxNodes {
			p.fail("more than %d nodes", maxNodes)
		}
		p.file.Nodes = append(p.file.Nodes, n)
	}
}

// id accepts 40 characters of [0-9a-z], as Redis does.
func (p *parser) id(what, text string) fsm.NodeID {
	if len(text) != 40 || strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		p.fail("%s is not 40 characters of 0-9a-z: %q", what, text)
	}
	return fsm.NodeID(text)
}

func (p *parser) flags(n *Node, text string) (handshake bool) {
	for flag := range strings.SplitSeq(text, ",") {
		switch flag {
		case "myself":
			n.Myself = true
		case "master", "primary", "noflags":
		case "slave", "replica":
			n.Replica = true
		case "fail?":
			n.Suspected = true
		case "fail":
			n.Failed = true
		case "handshake":
			handshake = true
		case "noaddr":
			n.NoAddr = true
		case "nofailover":
			n.NoFailover = true
		default:
			p.fail("unknown flag %q", flag)
		}
	}
	return handshake
}

// address reads ip:port[@busport][,hostname[,name=value...]]. An IPv6 address
// stands without brackets.
func (p *parser) address(n *Node, text string) {
	parts := strings.Split(text, ",")
	addr, bus, hasBus := strings.Cut(parts[0], "@")
	colon := strings.LastIndexByte(addr, ':')
	if colon < 0 {
		p.fail("address without a port: %q", text)
		return
	}
	n.IP, n.Port = addr[:colon], p.port("port", addr[colon+1:])
	switch {
	case hasBus:
		n.BusPort = p.port("bus port", bus)
	case n.Port > 0 && n.Port <= 1<<16-1-10000:
		n.BusPort = n.Port + 10000 // Redis before 4
	}
	if len(parts) > 1 {
		n.Hostname = parts[1]
	}
	if len(parts) > 2 {
		p.named(n, parts[2:])
	}
}

func (p *parser) port(name, text string) uint16 {
	v, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		p.fail("%s is not a port: %q", name, text)
	}
	return uint16(v)
}

func (p *parser) named(n *Node, fields []string) {
	first := n.Port
	for _, field := range fields {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			p.fail("field %q is not name=value", field)
			continue
		}
		switch name {
		case "shard-id":
			n.Shard = fsm.ShardID(p.id("shard id", value))
		case "nodename":
			n.HumanName = value
		case "tls-port":
			n.TLSPort = p.port(name, value)
		case "tcp-port": // the port in the address is the TLS one
			n.Port, n.TLSPort = p.port(name, value), first
		case "client-ipv4", "client-ipv6": // shown to some clients; not kept
		default:
			p.fail("unknown field %q", name)
		}
	}
}

// slots reads "n", "a-b", "[n->-id]" or "[n-<-id]".
func (p *parser) slots(n *Node, field string) {
	if !strings.HasPrefix(field, "[") {
		r, err := slot.Parse(field)
		if err != nil {
			p.fail("%w", err)
			return
		}
		for s := int(r.Start); s <= int(r.End); s++ {
			if other, ok := p.owners[s]; ok {
				p.fail("slot %d is claimed on line %d already", s, other)
				return
			}
			p.owners[s] = p.line
		}
		n.Slots = append(n.Slots, r)
		return
	}
	number, rest, _ := strings.Cut(strings.TrimSuffix(field[1:], "]"), "-")
	r, err := slot.Parse(number)
	if err != nil || len(rest) < 2 || rest[1] != '-' || !strings.HasSuffix(field, "]") {
		p.fail("bad open slot %q", field)
		return
	}
	m := fsm.Mark{Slot: r.Start, Node: n.ID, Peer: p.id("node id of an open slot", rest[2:])}
	switch rest[0] {
	case '>':
		n.Migrating = append(n.Migrating, m)
	case '<':
		n.Importing = append(n.Importing, m)
	default:
		p.fail("bad open slot %q", field)
	}
}
