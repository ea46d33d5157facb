// Package differential runs random programs over all command families on our
// server and on redis-server: every reply is equal, and so is what the programs
// leave behind, also after it has travelled to the other by DUMP and RESTORE.
// Replies that may differ are listed in allow_test.go, each with its reason. It
// has no code besides its tests.
//
// A program is made from its number alone, half of them speak RESP3, and the
// limits of the encodings vary. One that fails is shrunk and printed.
//
//	COMMANDS=n   commands to run (make differential COMMANDS=n)
//	SEED=n       the number of the first program
//	FAMILY=name  only commands of this family (families_test.go)
//	CONCLAVE_SERVER=path  the server, instead of one built for the test
package differential
