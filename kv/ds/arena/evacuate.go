package arena

// Evacuate takes chunks of which less than a share of the cells is live out of
// use for new cells, where that saves memory, and returns their number. The
// owner then moves the cells for which Evacuating is true: it allocates, copies,
// and frees the old cell. Settle ends it.
func (h *Heap) Evacuate(share float64) (chunks int) {
	for ci := range h.classes {
		cl := &h.classes[ci]
		h.retire(cl)
		if cl.partial == 0 {
			continue
		}
		capacity := cellSpace / int32(classSizes[ci])
		// A chunk is saved only if the others have room for what is in it.
		room := cl.chunks*capacity - cl.live
		if room < capacity {
			continue
		}
		for chunk := cl.partial; chunk != 0; {
			c := h.header(chunk)
			next := c.next()
			if live := int32(c.live()); float64(live) < share*float64(capacity) {
				h.unlink(chunk)
				h.link(&h.evacuating, chunk, listEvacuating)
				chunks++
			}
			chunk = next
		}
	}
	return chunks
}

// Evacuating reports whether a cell lies in a chunk that is to be emptied. A run
// never does: only runs begin where a chunk begins.
func (h *Heap) Evacuating(r Ref) bool {
	return r%ChunkSize != 0 && h.header(chunkOf(r))[7] == listEvacuating
}

// Settle puts chunks that have not become empty back into use.
func (h *Heap) Settle() {
	for h.evacuating != 0 {
		chunk := h.evacuating
		h.unlink(chunk)
		h.link(&h.classes[h.header(chunk).class()].partial, chunk, listPartial)
	}
}

// retire makes a class's current chunk one like the others.
func (h *Heap) retire(cl *class) {
	chunk := cl.current
	if chunk == 0 {
		return
	}
	cl.current = 0
	c := h.header(chunk)
	switch size := classSizes[c.class()]; {
	case c.live() == 0:
		h.release(cl, chunk)
	case c.free() != 0 || c.unused()+size <= ChunkSize:
		h.link(&cl.partial, chunk, listPartial)
	}
}
