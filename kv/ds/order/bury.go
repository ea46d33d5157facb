package order

// Bury empties a tree. Its memory is freed by Reap, in parts.
func (f *Forest) Bury(t *Tree) {
	if t.root != 0 {
		f.graves = append(f.graves, t.root)
		f.buried.Add(t.bytes)
	}
	*t = Tree{}
}

// Graves reports whether there is something to reap.
func (f *Forest) Graves() bool { return len(f.graves) > 0 }

// Buried is the memory of buried trees that has not been freed yet. No lock is
// needed.
func (f *Forest) Buried() int64 { return f.buried.Load() }

// Reap frees up to n nodes of buried trees, and reports whether there are more.
func (f *Forest) Reap(n int) (more bool) {
	live := f.h.Live()
	for ; n > 0 && len(f.graves) > 0; n-- {
		last := len(f.graves) - 1
		x := f.node(f.graves[last])
		f.graves = f.graves[:last]
		if x.refs() > 1 {
			x.setRefs(x.refs() - 1)
			continue
		}
		if !x.leaf() {
			for i := range x.len() {
				f.graves = append(f.graves, x.child(i))
			}
		}
		f.free(x)
	}
	if len(f.graves) == 0 {
		f.graves = nil
		f.buried.Store(0)
		return false
	}
	f.buried.Add(f.h.Live() - live)
	return true
}
