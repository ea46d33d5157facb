package fsm

import (
	"slices"

	"conclave/fsm/slot"
)

// Diff is what changed for one node between two states, as the data side and
// the voter manager want to know it. Slots are those of the node's shard,
// whatever its role.
type Diff struct {
	Gained, Lost []slot.Range // of the node's shard
	SlotsChanged bool         // any slot, of anybody

	RoleChanged    bool // the node turned from primary to replica or back
	PrimaryChanged bool // the node's primary is another one, or none
	TenureChanged  bool // the node's shard has another tenure
	MarksChanged   bool // the node's open slots

	Added, Removed []NodeID // members, by (id, attempt): one that came back is in both
	Edited         []NodeID // members whose record changed otherwise
	LevelChanged   bool
}

// Compare tells what changed for a node from old to new. Either may be
// [Empty], and the node needn't be a member.
func Compare(old, new *State, self NodeID) Diff {
	var d Diff
	d.compareSlots(old, new, self)
	d.compareMembers(old, new)
	a, b := old.Node(self), new.Node(self)
	if a != nil && b != nil {
		d.RoleChanged = a.IsPrimary() != b.IsPrimary()
		d.PrimaryChanged = a.Primary != b.Primary
	} else {
		d.RoleChanged = a != b
		d.PrimaryChanged = a != b
	}
	d.TenureChanged = tenure(old, self) != tenure(new, self)
	d.MarksChanged = !sameMarks(old.migrating, new.migrating, self) || !sameMarks(old.importing, new.importing, self)
	d.LevelChanged = old.level != new.level
	return d
}

func tenure(s *State, self NodeID) uint64 {
	if sh := s.ShardOf(self); sh != nil {
		return sh.Tenure
	}
	return 0
}

func sameMarks(a, b *markTable, self NodeID) bool {
	return a == b || slices.Equal(a.of(self), b.of(self))
}

func (d *Diff) compareSlots(old, new *State, self NodeID) {
	mine := func(s *State) ShardID {
		if n := s.Node(self); n != nil {
			return n.Shard
		}
		return ""
	}
	was, is := mine(old), mine(new)
	var gained, lost slot.Set
	for i := range pageCount {
		if old.pages[i] == new.pages[i] && was == is {
			continue
		}
		for n := i * pageSlots; n < (i+1)*pageSlots; n++ {
			from, to := shardID(old.Owner(n)), shardID(new.Owner(n))
			d.SlotsChanged = d.SlotsChanged || from != to || old.Stamp(n) != new.Stamp(n)
			had, has := from != "" && from == was, to != "" && to == is
			switch {
			case has && !had:
				gained.Add(n)
			case had && !has:
				lost.Add(n)
			}
		}
	}
	d.Gained, d.Lost = gained.Ranges(), lost.Ranges()
}

func shardID(sh *Shard) ShardID {
	if sh == nil {
		return ""
	}
	return sh.ID
}

func (d *Diff) compareMembers(old, new *State) {
	a, b := old.nodes, new.nodes
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].ID < b[0].ID:
			d.Removed = append(d.Removed, a[0].ID)
			a = a[1:]
		case len(a) == 0 || b[0].ID < a[0].ID:
			d.Added = append(d.Added, b[0].ID)
			b = b[1:]
		default:
			switch n, m := a[0], b[0]; {
			case n.Attempt != m.Attempt:
				d.Removed = append(d.Removed, n.ID)
				d.Added = append(d.Added, m.ID)
			case n != m && *n != *m:
				d.Edited = append(d.Edited, n.ID)
			}
			a, b = a[1:], b[1:]
		}
	}
}
