package kv

import (
	"encoding/binary"
	"sync/atomic"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/btree"
)

// streamGraves are the streams of a partition that have been given up. Small ones
// are freed at once, others in parts, by Reap.
type streamGraves struct {
	all    []*streamObject
	buried atomic.Int64
	// onHeap is what the streams that are there take beside their nodes and cells,
	// on Go's heap.
	onHeap atomic.Int64
}

// What streams take on Go's heap, about: with their place among the objects, or in
// lists that grow by doubling.
const (
	streamOnHeap   = 176
	groupOnHeap    = 112
	consumerOnHeap = 12
)

// charge counts memory on Go's heap.
func (o *streamObject) charge(p *partition, n int64) {
	o.onHeap += n
	p.members.streams.onHeap.Add(n)
}

// newStream makes an empty stream.
func (p *partition) newStream() *streamObject {
	o := &streamObject{}
	o.charge(p, streamOnHeap)
	return o
}

// onHeap is what a group takes on Go's heap.
func (g *streamGroup) onHeap() int64 {
	return groupOnHeap + int64(len(g.name)) + int64(len(g.consumers))*consumerOnHeap
}

// reapStream is how many nodes are freed at once.
const reapStream = 16

// Graves reports whether there is something to reap.
func (g *streamGraves) Graves() bool { return len(g.all) > 0 }

// Buried is the memory of streams that have been given up but not freed yet. No
// lock is needed.
func (g *streamGraves) Buried() int64 { return g.buried.Load() }

// reapStreams frees up to about n nodes, and reports whether there are more.
func (p *partition) reapStreams(n int) (more bool) {
	g, live := &p.members.streams, p.members.Nodes().Live()
	for n > 0 && len(g.all) > 0 {
		last := len(g.all) - 1
		if n = g.all[last].freePart(p, n); n > 0 {
			g.all = g.all[:last]
		}
	}
	p.members.CountNodes()
	if len(g.all) == 0 {
		g.all = nil
		g.buried.Store(0)
		return false
	}
	g.buried.Add(p.members.Nodes().Live() - live)
	return true
}

func (o *streamObject) release(p *partition) {
	o.charge(p, -o.onHeap)
	p.buryStream(o)
}

// buryStream frees a stream, at once if it is small.
func (p *partition) buryStream(o *streamObject) {
	if o.freePart(p, reapStream) > 0 {
		return
	}
	g := &p.members.streams
	g.all = append(g.all, o)
	g.buried.Add(o.bytes())
}

// freePart frees up to about n nodes, trees' and others, and returns how many it
// could have freed beyond: the stream is free when that isn't 0.
func (o *streamObject) freePart(p *partition, n int) (left int) {
	for n > 0 && len(o.groups) > 0 {
		last := len(o.groups) - 1
		if n = o.freeGroupPart(p, o.groups[last], n); n > 0 {
			o.groups = o.groups[:last]
		}
	}
	index := p.streamIndex()
	for ; n > 0; n-- {
		k, v, ok := index.Floor(&o.nodes, MaxStreamID.key())
		if !ok {
			break
		}
		o.freeNode(p, p.streamNode(arena.Ref(binary.LittleEndian.Uint64(v))))
		index.Delete(&o.nodes, k)
	}
	return n
}

// freeGroupPart is freePart of a group.
func (o *streamObject) freeGroupPart(p *partition, g *streamGroup, n int) (left int) {
	for n > 0 && len(g.consumers) > 0 {
		last := len(g.consumers) - 1
		if n = o.freeConsumerPart(p, g.consumers[last], n); n > 0 {
			g.consumers = g.consumers[:last]
			n--
		}
	}
	if n > 0 {
		n = p.streamPending().FreePart(&g.pending, n)
	}
	return n
}

// freeConsumerPart is freePart of a consumer.
func (o *streamObject) freeConsumerPart(p *partition, ref arena.Ref, n int) (left int) {
	b := p.streamConsumer(ref)
	t := btree.Stored(b[consumerPending:])
	o.cells -= t.Bytes()
	n = p.streamOwn().FreePart(&t, n)
	o.cells += t.Bytes()
	if n == 0 {
		t.Store(b[consumerPending:])
		return 0
	}
	size := arena.CellSize(len(b))
	o.cells -= int64(size)
	p.members.Nodes().Free(ref, size)
	return n
}
