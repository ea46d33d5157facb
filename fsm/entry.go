package fsm

import (
	"encoding/binary"
	"fmt"
)

// MaxEntry is the size that no encoded entry exceeds; a longer one is not
// proposed and doesn't decode.
const MaxEntry = 256 << 10

// Entry is what the log holds: an operation and who proposed it when.
type Entry struct {
	Op      Op
	Request Request // Origin alone says who proposed; with Seq, results are remembered
	WallMs  int64   // the proposer's wall clock, for the history
}

const hasRequest = 1

// Encode appends the entry in the format of FORMAT.md.
func (e *Entry) Encode(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(e.Op.opCode()))
	flags := byte(0)
	if e.Request != (Request{}) {
		flags |= hasRequest
	}
	dst = append(dst, opVersion, flags)
	if flags&hasRequest != 0 {
		dst = putRequest(dst, e.Request)
	}
	dst = putInt(dst, e.WallMs)
	return e.Op.encode(dst)
}

func putRequest(b []byte, r Request) []byte {
	b = putString(b, r.Origin)
	b = putIncarnation(b, r.Incarnation)
	return putUint(b, r.Seq)
}

// DecodeEntry reads an entry of the log. An error means that this binary can't
// know what the others did with it: the caller stops the node.
func DecodeEntry(b []byte) (*Entry, error) {
	if len(b) > MaxEntry {
		return nil, fmt.Errorf("entry: %d bytes, above the limit of %d", len(b), MaxEntry)
	}
	if len(b) < 4 {
		return nil, fmt.Errorf("entry: %w", errTruncated)
	}
	code, version, flags := Code(binary.LittleEndian.Uint16(b)), b[2], b[3]
	def, err := lookupOp(code)
	if err != nil {
		return nil, fmt.Errorf("entry: %w", err)
	}
	if version != opVersion {
		return nil, fmt.Errorf("entry: %s has version %d, this binary knows %d", def.name, version, opVersion)
	}
	if flags&^hasRequest != 0 {
		return nil, fmt.Errorf("entry: %s has unknown flags %#x", def.name, flags)
	}
	d := &decoder{b: b[4:]}
	e := &Entry{Op: def.fresh()}
	if flags&hasRequest != 0 {
		e.Request = Request{Origin: d.node(), Incarnation: d.incarnation(), Seq: d.uint()}
		if d.err == nil && e.Request == (Request{}) {
			d.fail(fmt.Errorf("empty request"))
		}
	}
	e.WallMs = d.int()
	e.Op.decode(d)
	if err := d.end(); err != nil {
		return nil, fmt.Errorf("entry: %s: %w", def.name, err)
	}
	return e, nil
}

// Apply is the state after the entry at this log index, and its result. The
// receiver stays as it was.
func (s *State) Apply(index uint64, e *Entry) (*State, Result) {
	next := *s
	next.index = index
	if res, ok := s.requests.lookup(e.Request); ok {
		return &next, res
	}
	if s.requests.expired(e.Request) || s.outlived(e.Request) {
		return &next, Result{Index: index, Refusal: refuse(Expired, e.Request.Origin)}
	}
	d := &draft{s: &next, before: s, wallMs: e.WallMs, origin: e.Request.Origin}
	res := d.run(e.Op)
	diverged := res.Diverged
	res.Diverged = false // differs between nodes: never part of the state
	next.requests = next.requests.remember(e.Request, index, res)
	res.Diverged = diverged
	return &next, res
}

// outlived reports whether a member that has started anew since sent the
// request: nobody waits for it any more.
func (s *State) outlived(r Request) bool {
	n := s.Node(r.Origin)
	return r.Seq != 0 && n != nil && r.Incarnation.Count < n.Incarnation.Count
}

// run applies one operation on a fork, and takes the fork over if it is
// accepted.
func (d *draft) run(op Op) Result {
	f := d.fork(op)
	f.res.Index = d.s.index
	refused := f.permit()
	if refused == nil {
		refused = op.apply(f)
	}
	if refused != nil {
		return Result{Index: d.s.index, Refusal: refused}
	}
	d.join(f)
	return f.res
}

// permit refuses what is refused whatever the operation says.
func (d *draft) permit() *Refusal {
	def, err := lookupOp(d.op.opCode())
	if err != nil {
		return refuse(Invalid, "")
	}
	_, founding := d.op.(*Found)
	switch {
	case founding:
	case d.s.clusterID == "":
		return refuse(NotFounded, "")
	case def.since > d.s.level:
		return refuse(LevelTooHigh, "")
	}
	return nil
}
