// Package memnet is a network in memory with faults, for simulations in
// virtual time (testing/synctest): goroutines in it wait on channels and timers
// only.
//
// It behaves as TCP does where programs notice. What is written while a link
// is cut arrives after it heals, in order; dialling over a cut link waits until
// the caller gives up. Delays keep the order within a connection. A close is
// seen after what was written before it; a crash of the other host is a reset,
// once it can be delivered. A write into a connection that the other side has
// closed succeeds and has a reset for an answer. Buffers are bounded, deadlines
// hold.
//
// Hosts have a name that stands for the host part of "host:port". A link is a
// directed pair of hosts.
//
// Invariant: with the same faults at the same instants and the same numbers
// from the random source, the same bytes arrive at the same instants; the order
// of goroutines that run at one instant is the scheduler's.
package memnet
