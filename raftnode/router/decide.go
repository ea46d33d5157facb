package router

// Facts are what the decision depends on. Lookups that cost something are
// functions and are called only when the decision needs them.
type Facts struct {
	Assigned  bool // the slot has an owner
	CrossSlot bool // the command's keys lie in several slots
	Write     bool
	Channel   bool // shard channels, not keys
	Migrate   bool // the command is MIGRATE
	Asking    bool
	ReadOnly  bool // the connection sent READONLY

	Primary bool // this node is a primary
	Mine    bool // this node owns the slot
	// ReplicaOfOwner: this node replicates the owner and has its data.
	ReplicaOfOwner bool
	Migrating      bool // the slot is open outward here
	Importing      bool // the slot is open inward here
	Changing       bool // a hand-over of the slot is under way here

	Down           bool // cluster_state is fail here
	ReadsWhenDown  bool // cluster-allow-reads-when-down
	PubSubWhenDown bool // cluster-allow-pubsubshard-when-down
	Missing        func() (missing, distinct int)
}

// Action is what becomes of a command.
type Action int

// The actions. Serve comes in two kinds because the right under which a
// command runs differs.
const (
	Serve         Action = iota // as the owner
	ServeImporter               // as the importer, after ASKING
	ServeReplica
	Wait // the slot is changing hands: ask again when it has
	Moved
	Ask
	TryAgain
	CrossSlot
	NotServed
	Down
	DownReadOnly
)

// Decide is the redirection table of Redis Cluster, in its order.
func Decide(f *Facts) Action {
	switch {
	case !f.Assigned:
		return NotServed
	case f.CrossSlot:
		return CrossSlot
	case f.Down && f.Channel:
		if !f.PubSubWhenDown {
			return Down
		}
	case f.Down && !f.ReadsWhenDown:
		return Down
	case f.Down && f.Write:
		return DownReadOnly
	}
	if f.Changing {
		// Also when the slot has left already: the new owner may not know yet.
		return Wait
	}
	open := f.Primary && (f.Migrating && f.Mine || f.Importing && !f.Mine)
	if open && !f.Channel {
		if f.Migrate {
			if f.Mine {
				return Serve
			}
			return ServeImporter
		}
		if f.Mine {
			switch missing, distinct := f.Missing(); {
			case missing == 0:
			case missing < distinct:
				return TryAgain
			default:
				return Ask
			}
		} else if f.Asking {
			if missing, distinct := f.Missing(); distinct > 1 && missing > 0 {
				return TryAgain
			}
			return ServeImporter
		}
	}
	switch {
	case f.Mine:
		return Serve
	case f.ReplicaOfOwner && !f.Write && (f.ReadOnly || f.Channel):
		return ServeReplica
	}
	return Moved
}
