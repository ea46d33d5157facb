package arena

import "encoding/binary"

// Heap hands out cells. It is guarded by its owner's lock.
type Heap struct {
	a          *Arena
	classes    [numClasses]class
	evacuating Ref // list of chunks that are being emptied
	cells      int64
	mapped     int64
	check      checker
}

// class is the state of one size of cells.
type class struct {
	current Ref // where cells are taken from
	partial Ref // list of other chunks with free cells
	chunks  int32
	live    int32
}

// NewHeap makes a heap that takes its memory from the arena.
func (a *Arena) NewHeap() *Heap { return &Heap{a: a} }

// Arena is where the heap's memory comes from.
func (h *Heap) Arena() *Arena { return h.a }

// Live is the memory in live cells and runs; Mapped is that of the chunks and
// runs that they are in.
func (h *Heap) Live() int64   { return h.cells }
func (h *Heap) Mapped() int64 { return h.mapped }

// Where a chunk is: in no list because it is full or current, in its class's
// list of partly used chunks, or among those being emptied.
const (
	listNone = iota
	listPartial
	listEvacuating
)

// header is the beginning of a chunk:
//
//	0  free cells, first: offset/8     2  offset where unused space begins
//	4  number of live cells            6  class    7  list
//	8  previous in list               16  next in list
type header [headerSize]byte

func (h *Heap) header(chunk Ref) *header { return (*header)(h.a.Line(chunk)) }

func (c *header) free() uint16       { return binary.LittleEndian.Uint16(c[0:]) }
func (c *header) setFree(v uint16)   { binary.LittleEndian.PutUint16(c[0:], v) }
func (c *header) unused() uint16     { return binary.LittleEndian.Uint16(c[2:]) }
func (c *header) setUnused(v uint16) { binary.LittleEndian.PutUint16(c[2:], v) }
func (c *header) live() uint16       { return binary.LittleEndian.Uint16(c[4:]) }
func (c *header) setLive(v uint16)   { binary.LittleEndian.PutUint16(c[4:], v) }
func (c *header) class() uint8       { return c[6] }
func (c *header) prev() Ref          { return Ref(binary.LittleEndian.Uint64(c[8:])) }
func (c *header) setPrev(v Ref)      { binary.LittleEndian.PutUint64(c[8:], uint64(v)) }
func (c *header) next() Ref          { return Ref(binary.LittleEndian.Uint64(c[16:])) }
func (c *header) setNext(v Ref)      { binary.LittleEndian.PutUint64(c[16:], uint64(v)) }

func chunkOf(r Ref) Ref { return r &^ (ChunkSize - 1) }

// Alloc returns a cell, or a run, of at least n bytes with arbitrary content.
func (h *Heap) Alloc(n int) Ref {
	h.cells += int64(CellSize(n))
	if n > maxCell {
		chunks := runChunks(n)
		h.mapped += int64(CellSize(n))
		r := h.a.take(chunks)
		h.check.allocated(h.a, r, n)
		return r
	}
	r := h.cell(classOf[(n+7)>>3])
	h.check.allocated(h.a, r, n)
	return r
}

func (h *Heap) cell(ci uint8) Ref {
	cl := &h.classes[ci]
	cl.live++
	size := classSizes[ci]
	for {
		if cl.current == 0 {
			h.refill(ci)
		}
		chunk := cl.current
		c := h.header(chunk)
		if f := c.free(); f != 0 {
			r := chunk + Ref(f)*8
			c.setFree(binary.LittleEndian.Uint16(h.a.Head(r)[:]))
			c.setLive(c.live() + 1)
			return r
		}
		if u := c.unused(); u+size <= ChunkSize {
			c.setUnused(u + size)
			c.setLive(c.live() + 1)
			return chunk + Ref(u)
		}
		cl.current = 0
	}
}

// refill makes a chunk with free cells the current one.
func (h *Heap) refill(ci uint8) {
	cl := &h.classes[ci]
	if cl.partial != 0 {
		cl.current = cl.partial
		h.unlink(cl.current)
		return
	}
	cl.current = h.a.take(1)
	cl.chunks++
	h.mapped += ChunkSize
	c := h.header(cl.current)
	*c = header{}
	c[6] = ci
	c.setUnused(headerSize)
}

// Free takes back what Alloc returned for n bytes, or what has become n bytes
// in place (SameCell).
func (h *Heap) Free(r Ref, n int) {
	h.check.freed(h.a, r, n)
	h.cells -= int64(CellSize(n))
	if n > maxCell {
		h.mapped -= int64(CellSize(n))
		h.a.give(r, runChunks(n))
		return
	}
	chunk := chunkOf(r)
	c := h.header(chunk)
	ci := c.class()
	cl := &h.classes[ci]
	binary.LittleEndian.PutUint16(h.a.Head(r)[:], c.free())
	c.setFree(uint16((r - chunk) / 8))
	left := c.live() - 1
	c.setLive(left)
	cl.live--
	switch {
	case chunk == cl.current:
	case left == 0:
		if c[7] != listNone {
			h.unlink(chunk)
		}
		h.release(cl, chunk)
	case c[7] == listNone:
		h.link(&cl.partial, chunk, listPartial)
	}
}

func (h *Heap) release(cl *class, chunk Ref) {
	cl.chunks--
	h.mapped -= ChunkSize
	h.a.give(chunk, 1)
}

// Resized accounts for a run that has become larger or smaller in place.
func (h *Heap) Resized(from, to int) {
	d := int64(CellSize(to) - CellSize(from))
	h.cells += d
	h.mapped += d
}

func (h *Heap) link(head *Ref, chunk Ref, list byte) {
	c := h.header(chunk)
	c[7] = list
	c.setPrev(0)
	c.setNext(*head)
	if *head != 0 {
		h.header(*head).setPrev(chunk)
	}
	*head = chunk
}

func (h *Heap) unlink(chunk Ref) {
	c := h.header(chunk)
	prev, next := c.prev(), c.next()
	switch {
	case prev != 0:
		h.header(prev).setNext(next)
	case c[7] == listEvacuating:
		h.evacuating = next
	default:
		h.classes[c.class()].partial = next
	}
	if next != 0 {
		h.header(next).setPrev(prev)
	}
	c[7] = listNone
	c.setPrev(0)
	c.setNext(0)
}
