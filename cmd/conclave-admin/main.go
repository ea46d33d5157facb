package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"conclave/cmd/internal/version"
)

// subcommand is one thing the tool can do. run gets what follows its name and
// prints to out; an error is printed by the caller.
type subcommand struct {
	name  string
	args  string
	about string
	run   func(args []string, out io.Writer) error
}

// subcommands is the only list of them.
func subcommands() []subcommand {
	return []subcommand{
		{"call", "[-a password] [-t seconds] host:port COMMAND [arg ...]", "send one command to a node and print the reply", call},
		{"inspect", "DIR", "print what a stopped node's directory says", inspect},
		{"recover", "[-force CLUSTER-ID] DIR", "rebuild a cluster whose quorum is lost from a stopped survivor", recoverQuorum},
		{"check-rdb", "[--fix] FILE", "check a snapshot; --fix copies it and ends it where its last whole record does", checkRDB},
		{"check-aof", "[--fix] DIR|MANIFEST|FILE", "check an append-only file; --fix copies its last part and cuts it off where its last whole record ends", checkAOF},
		{"config", "", "print what a node can be told in its configuration", printConfig},
	}
}

// errReply ends the process with status 1 and no further message: the reply
// was printed.
var errReply = errors.New("the reply is an error")

func main() { os.Exit(dispatch(os.Args[1:], os.Stdout, os.Stderr)) }

func dispatch(args []string, out, errOut io.Writer) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		fmt.Fprint(errOut, usage())
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	if args[0] == "-v" || args[0] == "--version" {
		fmt.Fprintf(out, "conclave-admin %s\n", version.Version)
		return 0
	}
	for _, s := range subcommands() {
		if s.name != args[0] {
			continue
		}
		err := s.run(args[1:], out)
		switch {
		case err == nil:
			return 0
		case errors.Is(err, errReply):
			return 1
		case errors.Is(err, flag.ErrHelp):
			fmt.Fprintf(errOut, "Usage: conclave-admin %s %s\n", s.name, s.args)
			return 2
		}
		fmt.Fprintf(errOut, "conclave-admin %s: %v\n", s.name, err)
		return 1
	}
	fmt.Fprintf(errOut, "conclave-admin: there is no subcommand %q\n\n%s", args[0], usage())
	return 2
}

func usage() string {
	var b strings.Builder
	b.WriteString("Usage: conclave-admin SUBCOMMAND [arg ...]\n\n")
	for _, s := range subcommands() {
		fmt.Fprintf(&b, "  %-9s %s\n            %s\n", s.name, s.args, s.about)
	}
	return b.String()
}
