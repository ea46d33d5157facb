package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"conclave/fsm/slot"
)

// Limits of the encoding, far above what is in use.
const (
	maxID   = 64
	maxName = 255
)

var errTruncated = errors.New("ends too early")

func putUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func putInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

func putString[S ~string](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func putRanges(b []byte, ranges []slot.Range) []byte {
	b = putUint(b, uint64(len(ranges)))
	for _, r := range ranges {
		b = putUint(b, uint64(r.Start))
		b = putUint(b, uint64(r.End))
	}
	return b
}

func putIncarnation(b []byte, i Incarnation) []byte {
	return putUint(putUint(b, i.Count), i.Random)
}

// decoder reads what the put functions wrote. The first error sticks, and
// everything read after it is zero. Nothing is allocated by a claimed length
// that the input doesn't back.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errTruncated)
		return 0
	}
	if n > 1 && d.b[n-1] == 0 {
		d.fail(errors.New("number not in its shortest form"))
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) upTo(limit uint64) uint64 {
	v := d.uint()
	if v > limit {
		d.fail(fmt.Errorf("number %d above %d", v, limit))
		return 0
	}
	return v
}

func (d *decoder) uint16() uint16 { return uint16(d.upTo(1<<16 - 1)) }

func (d *decoder) uint32() uint32 { return uint32(d.upTo(1<<32 - 1)) }

func (d *decoder) int() int64 {
	u := d.uint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) bool() bool { return d.upTo(1) == 1 }

func (d *decoder) string(limit uint64) string {
	n := d.upTo(limit)
	if n > uint64(len(d.b)) {
		d.fail(errTruncated)
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) node() NodeID { return NodeID(d.string(maxID)) }

func (d *decoder) shard() ShardID { return ShardID(d.string(maxID)) }

// count reads the length of a list whose elements take at least size bytes.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.b)/size) {
		d.fail(errTruncated)
		return 0
	}
	return int(n)
}

func (d *decoder) ranges() []slot.Range {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	out := make([]slot.Range, n)
	for i := range out {
		out[i] = slot.Range{Start: d.uint16(), End: d.uint16()}
	}
	return out
}

func (d *decoder) incarnation() Incarnation {
	return Incarnation{Count: d.uint(), Random: d.uint()}
}

// end is the error so far, or that there are bytes left over.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		return fmt.Errorf("%d bytes left over", len(d.b))
	}
	return d.err
}

func putNode(b []byte, n *Node) []byte {
	b = putString(b, n.ID)
	b = putUint(b, n.Attempt)
	b = putIncarnation(b, n.Incarnation)
	b = putUint(b, n.Generation)
	b = putUint(b, uint64(n.Suffrage))
	b = putUint(b, uint64(n.Flags))
	b = putString(b, n.IP)
	b = putUint(b, uint64(n.Port))
	b = putUint(b, uint64(n.TLSPort))
	b = putUint(b, uint64(n.BusPort))
	b = putString(b, n.Hostname)
	b = putString(b, n.HumanName)
	b = putString(b, n.Zone)
	b = putUint(b, n.TimeoutMs)
	b = putString(b, n.Shard)
	b = putString(b, n.Primary)
	b = putUint(b, n.Epoch)
	return putUint(b, n.JoinIndex)
}

func (d *decoder) fullNode() Node {
	return Node{
		ID:          d.node(),
		Attempt:     d.uint(),
		Incarnation: d.incarnation(),
		Generation:  d.uint(),
		Suffrage:    Suffrage(d.upTo(uint64(Voter))),
		Flags:       NodeFlags(d.upTo(uint64(knownFlags))),
		IP:          d.string(maxName),
		Port:        d.uint16(),
		TLSPort:     d.uint16(),
		BusPort:     d.uint16(),
		Hostname:    d.string(maxName),
		HumanName:   d.string(maxName),
		Zone:        d.string(maxName),
		TimeoutMs:   d.uint(),
		Shard:       d.shard(),
		Primary:     d.node(),
		Epoch:       d.uint(),
		JoinIndex:   d.uint(),
	}
}

func putRefusal(b []byte, r *Refusal) []byte {
	b = putUint(b, uint64(r.Reason))
	b = putUint(b, uint64(r.Slot+1))
	return putString(b, r.Node)
}

// Encode appends the result as it travels between nodes.
func (r *Result) Encode(b []byte) []byte {
	flags := byte(0)
	for i, set := range []bool{r.Refusal != nil, r.Changed, r.Bumped, r.Diverged} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(b, flags)
	b = putUint(b, r.Index)
	b = putUint(b, r.Epoch)
	if r.Refusal != nil {
		b = putRefusal(b, r.Refusal)
	}
	b = putUint(b, uint64(len(r.Sub)))
	for i := range r.Sub {
		b = r.Sub[i].Encode(b)
	}
	return b
}

// DecodeResult reads what Encode wrote.
func DecodeResult(b []byte) (Result, error) {
	d := &decoder{b: b}
	r := d.result(1)
	if err := d.end(); err != nil {
		return Result{}, fmt.Errorf("result: %w", err)
	}
	return r, nil
}

// result reads a result whose parts nest up to depth.
func (d *decoder) result(depth int) (r Result) {
	flags := d.upTo(15)
	r.Changed, r.Bumped, r.Diverged = flags&2 != 0, flags&4 != 0, flags&8 != 0
	r.Index, r.Epoch = d.uint(), d.uint()
	if flags&1 != 0 {
		r.Refusal = &Refusal{Reason: Reason(d.uint16()), Slot: int(d.upTo(1<<16)) - 1, Node: d.node()}
	}
	n := d.count(4)
	if n > 0 && depth == 0 {
		d.fail(errors.New("results nest too deeply"))
		return r
	}
	for range n {
		r.Sub = append(r.Sub, d.result(depth-1))
	}
	return r
}
