// Command conclave-server is one node: a Redis-compatible server, alone or as
// part of a cluster.
//
//	conclave-server [file] [--directive value ...] [-]
//
// What may stand in the file and behind the dashes is written in
// docs/configuration.md. main.go turns the arguments into a configuration and
// gives the process its place (working directory, log, limits, signals);
// wire.go builds the rooms and is the only file that knows all of them.
package main
