package router_test

import (
	"testing"

	"conclave/raftnode/router"
)

// present is a lookup of keys of which some are missing.
func present(missing, distinct int) func() (int, int) {
	return func() (int, int) { return missing, distinct }
}

// TestDecide has a row for each rule of Redis Cluster's redirection, and rows
// that pit neighbouring rules against each other.
func TestDecide(t *testing.T) {
	owner := router.Facts{Assigned: true, Primary: true, Mine: true, Missing: present(0, 1)}
	other := router.Facts{Assigned: true, Primary: true, Missing: present(0, 1)}
	replica := router.Facts{Assigned: true, ReplicaOfOwner: true, Missing: present(0, 1)}
	source, target := owner, other
	source.Migrating, target.Importing = true, true

	type facts = router.Facts
	with := func(f facts, changes ...func(*facts)) facts {
		for _, change := range changes {
			change(&f)
		}
		return f
	}
	unassigned := func(f *facts) { f.Assigned = false }
	cross := func(f *facts) { f.CrossSlot = true }
	write := func(f *facts) { f.Write = true }
	channel := func(f *facts) { f.Channel = true }
	migrate := func(f *facts) { f.Migrate, f.Write = true, true }
	asking := func(f *facts) { f.Asking = true }
	readOnly := func(f *facts) { f.ReadOnly = true }
	down := func(f *facts) { f.Down = true }
	changing := func(f *facts) { f.Changing = true }
	reads := func(f *facts) { f.ReadsWhenDown = true }
	pubsub := func(f *facts) { f.PubSubWhenDown = true }
	keys := func(missing, distinct int) func(*facts) {
		return func(f *facts) { f.Missing = present(missing, distinct) }
	}

	for _, c := range []struct {
		name string
		in   facts
		want router.Action
	}{
		{"stable slot at its owner", owner, router.Serve},
		{"write at the owner", with(owner, write), router.Serve},
		{"ASKING at the owner changes nothing", with(owner, asking), router.Serve},

		{"unassigned", with(other, unassigned), router.NotServed},
		{"unassigned beats cross-slot", with(other, unassigned, cross), router.NotServed},
		{"unassigned beats down", with(other, unassigned, down), router.NotServed},
		{"unassigned slot that is importing here", with(target, unassigned, asking), router.NotServed},

		{"cross-slot", with(owner, cross), router.CrossSlot},
		{"cross-slot beats down", with(owner, cross, down), router.CrossSlot},
		{"cross-slot beats moved", with(other, cross), router.CrossSlot},
		{"cross-slot beats a hand-over", with(owner, cross, changing), router.CrossSlot},

		{"down", with(owner, down), router.Down},
		{"down beats moved", with(other, down), router.Down},
		{"down, reads allowed, read", with(owner, down, reads), router.Serve},
		{"down, reads allowed, read elsewhere", with(other, down, reads), router.Moved},
		{"down, reads allowed, write", with(owner, down, reads, write), router.DownReadOnly},
		{"down, write", with(owner, down, write), router.Down},
		{"down, channel", with(owner, down, channel), router.Down},
		{"down, channel, allowed", with(owner, down, channel, pubsub), router.Serve},
		{"down, channel, reads allowed only", with(owner, down, channel, reads), router.Down},
		{"down beats MIGRATE's exemption", with(source, down, migrate), router.Down},
		{"down beats a hand-over", with(owner, down, changing), router.Down},

		{"hand-over", with(owner, changing), router.Wait},
		{"hand-over of an open slot", with(source, changing), router.Wait},
		{"hand-over of an open slot, MIGRATE", with(source, changing, migrate), router.Wait},
		{"hand-over, channel", with(owner, changing, channel), router.Wait},
		{"hand-over, new owner not known to know", with(other, changing), router.Wait},

		{"MIGRATE, stable slot", with(owner, migrate), router.Serve},
		{"MIGRATE, migrating slot, keys gone", with(source, migrate, keys(1, 1)), router.Serve},
		{"MIGRATE, importing slot", with(target, migrate), router.ServeImporter},
		{"MIGRATE, foreign slot", with(other, migrate), router.Moved},

		{"migrating, key there", source, router.Serve},
		{"migrating, key missing", with(source, keys(1, 1)), router.Ask},
		{"migrating, key missing, write", with(source, keys(1, 1), write), router.Ask},
		{"migrating, all of several missing", with(source, keys(2, 2)), router.Ask},
		{"migrating, some of several missing", with(source, keys(1, 2)), router.TryAgain},
		{"migrating, several there", with(source, keys(0, 3)), router.Serve},
		{"migrating, channel: no key is looked up", with(source, channel, keys(1, 1)), router.Serve},

		{"importing, no ASKING", target, router.Moved},
		{"importing, ASKING, key there", with(target, asking), router.ServeImporter},
		{"importing, ASKING, key missing", with(target, asking, keys(1, 1)), router.ServeImporter},
		{"importing, ASKING, one key twice", with(target, asking, keys(1, 1), write), router.ServeImporter},
		{"importing, ASKING, some of several missing", with(target, asking, keys(1, 2)), router.TryAgain},
		{"importing, ASKING, all of several missing", with(target, asking, keys(2, 2)), router.TryAgain},
		{"importing, ASKING, several there", with(target, asking, keys(0, 2)), router.ServeImporter},
		{"importing, ASKING, channel", with(target, asking, channel), router.Moved},
		{"a mark of a node that is no primary any more", with(router.Facts{Assigned: true, Importing: true}, asking, keys(0, 1)), router.Moved},
		{"ASKING without a mark", with(other, asking), router.Moved},

		{"another primary's", other, router.Moved},
		{"another primary's, READONLY", with(other, readOnly), router.Moved},
		{"replica, no READONLY", replica, router.Moved},
		{"replica, READONLY, read", with(replica, readOnly), router.ServeReplica},
		{"replica, READONLY, write", with(replica, readOnly, write), router.Moved},
		{"replica, channel", with(replica, channel), router.ServeReplica},
		{"replica of another primary, READONLY", with(router.Facts{Assigned: true}, readOnly), router.Moved},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := router.Decide(&c.in); got != c.want {
				t.Errorf("action %d, want %d", got, c.want)
			}
		})
	}
}
