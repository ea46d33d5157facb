// Package script runs Lua: the scripts of EVAL and the libraries of FUNCTION.
//
// What it is. An [Engine] has the cache of scripts, the libraries of functions,
// and a pool of Lua states. A run takes a state, calls the compiled chunk, and
// turns what it returns into a reply. Commands that a script calls go through
// its session ([command.Host]), which routes, checks and counts them as it does
// those of a transaction.
//
// What it isn't. It locks nothing and knows no key: that is the session's.
//
// The interpreter is gopher-lua. Three things it lacks are put into the program
// before it is compiled (rewrite.go): a concatenation, an assignment to a field
// and the length operator become calls of functions of ours. Through them tables
// are protected, numbers look as C prints them, and memory is counted.
//
// # Bounds
//
// A run ends with an error when it is killed, when the process' heap has grown
// by more than Config.MaxMemory since it began and a collection doesn't help,
// when a string gets longer than half of that, when calls nest too deeply, or
// when a chunk is too large. Instructions are counted by the interpreter, work
// within a library function by the function (budget.spend). A script that was
// ended can't catch the error.
//
// # Sandbox
//
// Globals are those of Redis; there is no io, os, package or debug. They and the
// tables that are reached through them are read-only, as are the metatables of
// basic types. load takes text, never bytecode. States are reused, which is why
// nothing a script can reach may be left changed.
//
// # Locks
//
// Engine.mu is a leaf. It may be taken under partitions' locks.
package script
