// Package router decides, for every command with keys, whether it may run
// here, must be redirected, must wait, or is refused. The decision is a pure
// function over a few facts ([Decide]); [Router] gathers the facts from the
// committed configuration and the node's right to serve, without blocking and,
// where the answer is "here", without allocating.
package router
