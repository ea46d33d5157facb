// Package tlsconf makes of the tls-* directives, and of the files that they name,
// the configurations of crypto/tls: for the clients' port and for both ends of
// the cluster bus.
//
// Nothing here is kept: who reads the files again makes a new [Setup], and
// connections that stand go on with what they began with. Sessions are resumed
// with tickets, whose keys belong to a Setup: none outlives the files that it was
// granted under.
package tlsconf
