// Package scenario is what every client library has to go through: discover a
// cluster from one address, pipeline, run a transaction, and follow slots that
// move meanwhile. The test that starts the program moves them.
package scenario
