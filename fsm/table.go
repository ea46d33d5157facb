package fsm

// The slot table is kept in pages, so that a change of one slot copies one
// page and not 160 KiB: a reshard is thousands of such entries.
const (
	pageSlots = 256
	pageCount = 64
)

type page struct {
	owners [pageSlots]uint16 // shard handles
	stamps [pageSlots]uint64
}

// setOwner binds a slot to the shard with this handle, 0 for none. Marks that
// the change makes meaningless go: a migrating mark stays only at an owner, an
// importing one only at a node that isn't the owner.
func (d *draft) setOwner(slot int, handle uint16) {
	i := slot / pageSlots
	if d.ownPages&(1<<i) == 0 {
		p := new(page)
		if old := d.s.pages[i]; old != nil {
			*p = *old
		}
		d.s.pages[i] = p
		d.ownPages |= 1 << i
	}
	p := d.s.pages[i]
	seats := d.mutableSeats()
	seats[p.owners[slot%pageSlots]].slots--
	seats[handle].slots++
	p.owners[slot%pageSlots] = handle
	p.stamps[slot%pageSlots] = d.s.index

	d.closeMigrating(slot)
	if n := seats[handle].primary; n != nil {
		d.closeImporting(slot, n.ID)
	}
}
