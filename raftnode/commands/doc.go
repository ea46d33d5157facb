// Package commands answers CLUSTER, READONLY, READWRITE and ASKING: it renders
// the committed configuration in Redis's formats and turns Redis's
// configuration commands into operations.
//
// Whatever the view answers already, errors and repeats included, costs no
// log entry. Everything else is proposed, and the answer leaves once this
// node's own view shows the result.
package commands
