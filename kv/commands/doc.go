// Package commands is what clients do to keys: one file per family of commands,
// each a list of [command.Spec] with its handlers beside it. specs.go lists the
// families; there is no other registration.
//
// Handlers run with the partitions of their keys locked by the server and hold
// nothing when they return: what they reply is copied into the reply buffer.
// Commands without keys that look at the whole database (SCAN, KEYS, RANDOMKEY)
// are both Detached and WholeStore: they lock one partition at a time, except
// within EXEC, where the server holds all of them. KEYS and SCAN therefore see
// each partition at an instant of its own; a transaction sees one instant.
//
// Error texts and reply shapes are Redis 7.2's; a differential test compares
// them with redis-server where one is installed.
package commands
