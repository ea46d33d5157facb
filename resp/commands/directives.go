package commands

// Pair is the name of a directive and its value.
type Pair = [2]string

// Directives is the configuration as CONFIG sees it. Errors are the text of
// the reply without the code: "CONFIG SET failed (possibly related to
// argument 'port') - can't set immutable config".
type Directives interface {
	// Match returns the directives whose names match the glob pattern,
	// ignoring case. A pattern without metacharacters is a name or an alias.
	Match(pattern string) []Pair
	// Set sets all of the pairs or none. It reports unknown, duplicate,
	// immutable and malformed ones with Redis's texts.
	Set(pairs []Pair) error
	// Rewrite writes the configuration back to the file it was read from.
	Rewrite() error
}
