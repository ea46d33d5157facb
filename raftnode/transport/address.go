package transport

import (
	"strconv"
	"strings"

	"github.com/hashicorp/raft"

	"conclave/fsm"
)

// Address is a voter's name and address in the Raft group. A wiped directory
// gets a new generation and so can't vote under its old name.
func Address(id fsm.NodeID, generation uint64) raft.ServerAddress {
	return raft.ServerAddress(string(id) + "." + strconv.FormatUint(generation, 10))
}

// ParseAddress takes it apart.
func ParseAddress(a raft.ServerAddress) (id fsm.NodeID, generation uint64, ok bool) {
	node, gen, found := strings.Cut(string(a), ".")
	if !found || node == "" {
		return "", 0, false
	}
	generation, err := strconv.ParseUint(gen, 10, 64)
	if err != nil {
		return "", 0, false
	}
	return fsm.NodeID(node), generation, true
}

// name is an address as net.Addr.
type name string

func (name) Network() string  { return "raft" }
func (n name) String() string { return string(n) }
