// Package version holds what Conclave calls itself. The version of Redis whose
// behaviour it follows is a fact of the wire and lives with the commands that
// report it.
package version

// Version is this release, in semantic versioning.
const Version = "0.1.0"
