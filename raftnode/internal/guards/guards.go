package guards

import "strings"

// Set is the rules that are switched off.
type Set uint64

// The rules, with what goes wrong without.
const (
	// Seal: the private log takes nothing once a join has begun; what it took
	// would be acknowledged and lost.
	Seal Set = 1 << iota
	// Attempt: the attempt is on disk before the cluster hears of it; otherwise
	// a crash leaves a member that nobody can tell is dead.
	Attempt
	// Dead: members whose attempt is dead are dropped.
	Dead
	// Verdict: "you are not listed" counts only from a view at or after the own
	// join; an older one makes a member leave.
	Verdict
	// HelloIndex: Hello gives the leader's commit index; a follower's own makes
	// a MEET after a FORGET fail.
	HelloIndex
	// Tombstone: a join that was begun before a FORGET is refused.
	Tombstone
	// Withdraw: of two that join each other one gives up.
	Withdraw
	// FreshLog: no private log is carried into another cluster.
	FreshLog
	// Generation: an emptied Raft directory is another Raft server.
	Generation
	// LeaseFromSend: a lease is counted from when the heartbeat left.
	LeaseFromSend
	// LeaseCap: a lease is no longer than the committed timeout.
	LeaseCap
	// LeaseAuthority: a heartbeat grants a lease only if its answerer proved
	// that it led.
	LeaseAuthority
	// LeaseView: and only together with a view as new as the answer.
	LeaseView
	// TakeWait: a failed owner's slots are taken after twice its timeout.
	TakeWait
	// Fence: slots that are being given serve nothing.
	Fence
	// FenceHeld: they stay fenced until the outcome is known.
	FenceHeld
	// Drain: running commands end before a slot is given.
	Drain
	// NamedFacts: a hand-over names the tenure and stamps it assumed.
	NamedFacts
	// PostCheck: a reply leaves only if the right to serve held until then.
	PostCheck
	// PostStamp: and only if the slot hasn't changed hands in between.
	PostStamp
	// Incarnation: a restart ends a tenure.
	Incarnation
	// History: after a lost quorum was rebuilt, who has the old history takes
	// no part in Raft.
	History
	// StalledDisk: a leader whose disk hangs keeps nobody quiet.
	StalledDisk

	end
)

var names = strings.Fields(`Seal Attempt Dead Verdict HelloIndex Tombstone Withdraw FreshLog Generation
	LeaseFromSend LeaseCap LeaseAuthority LeaseView TakeWait Fence FenceHeld Drain NamedFacts
	PostCheck PostStamp Incarnation History StalledDisk`)

// Off reports whether a rule is switched off.
func (s Set) Off(rule Set) bool { return s&rule != 0 }

// All lists the rules one by one.
func All() (out []Set) {
	for r := Set(1); r < end; r <<= 1 {
		out = append(out, r)
	}
	return out
}

// String names the rules of the set.
func (s Set) String() string {
	var out []string
	for i, r := range All() {
		if s.Off(r) {
			out = append(out, names[i])
		}
	}
	return strings.Join(out, "+")
}
