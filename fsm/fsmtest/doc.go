// Package fsmtest makes up operations for tests of the state machine and of
// what is built on it: mostly plausible ones, some absurd. It is deterministic:
// equal seeds and states give equal entries.
package fsmtest
