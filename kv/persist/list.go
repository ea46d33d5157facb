package persist

import "math"

// List is the value of a list key, from its head to its tail.
type List [][]byte

func (List) layout(*Encoding) byte { return typeListQuicklist2 }

// A node of a quicklist is one element as it is, or a listpack of several.
const (
	nodePlain  = 1
	nodePacked = 2
)

func (l List) encode(w *encoder, _ byte) {
	w.length(uint64(w.listNodes(l, func(int, int) {})))
	w.listNodes(l, func(from, to int) {
		if to == from+1 && len(l[from]) > w.listNodeBytes() {
			w.length(nodePlain)
			w.string(l[from])
			return
		}
		w.length(nodePacked)
		w.writePack(func(add func([]byte)) {
			for _, s := range l[from:to] {
				add(s)
			}
		})
	})
}

// listNodeSafety bounds a node that is bounded by its number of elements only.
const listNodeSafety = 8 << 10

// listNodeBytes is the largest node, and the longest string to share one.
func (e *Encoding) listNodeBytes() int {
	if e.ListMaxListpackSize >= 0 {
		return listNodeSafety
	}
	return 4 << 10 << (min(-e.ListMaxListpackSize, 5) - 1)
}

// listNodes calls node for each run of elements that shares one, and returns
// how many there are.
func (e *Encoding) listNodes(l List, node func(from, to int)) (n int) {
	most, elements := e.listNodeBytes(), math.MaxInt
	if e.ListMaxListpackSize >= 0 {
		elements = max(e.ListMaxListpackSize, 1)
	}
	// What an element takes beside its bytes, at most for those that share.
	const overhead = 2 + 3
	from, size := 0, 0
	end := func(to int) {
		if to > from {
			node(from, to)
			n++
		}
		from, size = to, 0
	}
	for i, s := range l {
		if len(s) > most {
			end(i)
			end(i + 1)
			continue
		}
		if i-from >= elements || size+len(s)+overhead > most {
			end(i)
		}
		size += len(s) + overhead
	}
	end(len(l))
	return n
}

func (d *decoder) list(kind byte) (Value, error) {
	var l List
	nodes := uint64(1)
	if kind != typeListZiplist {
		var err error
		if nodes, err = d.size(); err != nil {
			return nil, err
		}
	}
	for range nodes {
		container := uint64(nodePacked)
		switch kind {
		case typeList:
			container = nodePlain
		case typeListQuicklist2:
			var err error
			if container, err = d.size(); err != nil {
				return nil, err
			}
		}
		p, err := d.string()
		if err != nil {
			return nil, err
		}
		switch {
		case container == nodePlain:
			l = append(l, p)
			continue
		case container != nodePacked:
			return nil, malformed("a quicklist's node of an unknown kind")
		}
		open := packedZiplist
		if kind == typeListQuicklist2 {
			open = packedListpack
		}
		elements, err := d.packedStrings(open(p))
		if err != nil {
			return nil, err
		}
		if l == nil {
			l = elements
			continue
		}
		l = append(l, elements...)
	}
	if len(l) == 0 {
		return nil, errEmpty
	}
	return l, nil
}
