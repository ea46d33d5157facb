// Package e2e tests the programs from outside: it starts server processes,
// kills them, and drives them with redis-cli and with unmodified client
// libraries. It has no code of its own besides its tests.
//
// What a test says is checked against redis-server by giving it as the server:
//
//	CONCLAVE_SERVER=/usr/bin/redis-server go test ./scripts/e2e
//
// Tests of what only this server does are left out then. Other switches:
//
//	E2E_RACE=1      build the server with the race detector
//	E2E_KEEP=1      keep the nodes' directories, also of tests that pass
//	E2E_STACKS=1    after a failure, print the nodes' goroutines and whole logs
//	E2E_LOGLEVEL=l  the nodes' loglevel
//	KILLS=n         rounds of the kill test
//	MEASURE=1       print timings beside redis-server's
//
// The ports are 22000 to 22699 and, for the bus, 10000 above.
package e2e
