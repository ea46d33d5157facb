// Package sim runs whole clusters in virtual time: real nodes over a network
// and disks in memory, clocks of their own rate, clients that check before and
// after each command as the server does, and an operator who does what
// operators do, while links, processes and disks fail. One seed is one life.
//
// It watches what must never happen (two nodes that serve one slot at one
// instant, states that differ, an answer that turns out false) and, once the
// faults end, whether everything comes to rest. With a rule switched off
// (conclave/raftnode/internal/guards) it must find a violation: that is how we
// know that it can.
//
// A seed fixes the schedule of faults and operations, not the order of
// goroutines that run at one instant: a failing seed may need several runs.
package sim
