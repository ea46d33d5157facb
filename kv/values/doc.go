// Package values translates between what the store holds and the values of
// Redis's file formats ([persist.Value]), for DUMP and RESTORE, RDB files and
// full synchronisation.
//
// A type of collection has a file here with two functions: from its flat form to
// the value, and back. Everything else is in values.go.
package values
