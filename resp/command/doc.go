// Package command says what a command is: one [Spec] holds its name, arity,
// flags, key positions, documentation and handler, and everything that Redis
// answers about commands is derived from it. A [Table] is built once, at
// start, from the families' lists; there is no registration.
//
// The package also declares what a handler sees ([Ctx], [Session]) and what
// the server asks of the rooms it doesn't know ([Router], [Keyspace]).
package command
