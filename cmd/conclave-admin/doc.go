// Command conclave-admin is the operator's tool beside redis-cli: it talks to a
// node without needing redis-cli, and it works on data directories of nodes
// that don't run. One file per subcommand; main.go lists them.
package main
