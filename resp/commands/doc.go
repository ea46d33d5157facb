// Package commands holds the commands about the session and the server, not
// about keys: the connection family, CLIENT, CONFIG, INFO, SLOWLOG, LATENCY,
// MEMORY, DEBUG, SHUTDOWN, MONITOR, ROLE. Commands about transactions live
// with the server, COMMAND with the table, CLUSTER with the control plane.
//
// What these commands must know of rooms that this package may not import
// comes through [Deps]: the directives of CONFIG, the data set's figures, the
// replication state, the sections of INFO. Every hook may be nil; the commands
// then tell the truth about a server without that room, and those that make
// no sense without it (DEBUG OBJECT, MEMORY USAGE) are left out of the table.
package commands
