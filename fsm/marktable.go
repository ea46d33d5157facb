package fsm

import (
	"cmp"
	"slices"
	"strings"
)

// markTable holds the open slots of one direction, in pages like the slot
// table's, each sorted by slot and node. A published table isn't modified:
// set and clear return a new one.
type markTable struct {
	pages [pageCount][]Mark
	n     int
}

func (t *markTable) find(node NodeID, slot int) (int, bool) {
	return slices.BinarySearchFunc(t.pages[slot/pageSlots], Mark{Slot: uint16(slot), Node: node}, compareMarks)
}

func compareMarks(a, b Mark) int {
	return cmp.Or(cmp.Compare(a.Slot, b.Slot), strings.Compare(string(a.Node), string(b.Node)))
}

func (t *markTable) peer(node NodeID, slot int) (NodeID, bool) {
	if t.n == 0 {
		return "", false
	}
	if i, ok := t.find(node, slot); ok {
		return t.pages[slot/pageSlots][i].Peer, true
	}
	return "", false
}

// all lists the marks for which keep is true.
func (t *markTable) all(keep func(Mark) bool) []Mark {
	if t.n == 0 {
		return nil
	}
	var out []Mark
	for _, p := range t.pages {
		for _, m := range p {
			if keep(m) {
				out = append(out, m)
			}
		}
	}
	return out
}

func (t *markTable) of(node NodeID) []Mark {
	return t.all(func(m Mark) bool { return m.Node == node })
}

func (t *markTable) has(node NodeID) bool {
	if t.n == 0 {
		return false
	}
	for _, p := range t.pages {
		for i := range p {
			if p[i].Node == node {
				return true
			}
		}
	}
	return false
}

func (t *markTable) set(m Mark) *markTable {
	c := *t
	p := &c.pages[int(m.Slot)/pageSlots]
	*p = slices.Clone(*p)
	if i, ok := t.find(m.Node, int(m.Slot)); ok {
		(*p)[i] = m
	} else {
		*p = slices.Insert(*p, i, m)
		c.n++
	}
	return &c
}

// clear drops the marks for which gone is true on the pages from first to last.
func (t *markTable) clear(first, last int, gone func(Mark) bool) *markTable {
	if t.n == 0 {
		return t
	}
	var c *markTable
	for i := first; i <= last; i++ {
		if !slices.ContainsFunc(t.pages[i], gone) {
			continue
		}
		if c == nil {
			c = new(markTable)
			*c = *t
		}
		c.pages[i] = slices.DeleteFunc(slices.Clone(t.pages[i]), gone)
		c.n -= len(t.pages[i]) - len(c.pages[i])
	}
	if c == nil {
		return t
	}
	return c
}

// closeMigrating clears whatever migrating mark there is on a slot.
func (d *draft) closeMigrating(slot int) bool {
	i := slot / pageSlots
	old := d.s.migrating
	d.s.migrating = old.clear(i, i, func(m Mark) bool { return int(m.Slot) == slot })
	return d.s.migrating != old
}

// closeImporting clears the importing mark of one node on a slot.
func (d *draft) closeImporting(slot int, node NodeID) bool {
	i := slot / pageSlots
	old := d.s.importing
	d.s.importing = old.clear(i, i, func(m Mark) bool { return int(m.Slot) == slot && m.Node == node })
	return d.s.importing != old
}

// closeMarks clears the marks that match in both directions.
func (d *draft) closeMarks(gone func(Mark) bool) {
	d.s.migrating = d.s.migrating.clear(0, pageCount-1, gone)
	d.s.importing = d.s.importing.clear(0, pageCount-1, gone)
}
