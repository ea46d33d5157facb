package command

// Permissions is what one user may do. It may be asked by any goroutine, and shows the
// user's rules as they are now.
type Permissions interface {
	// Name is the user's.
	Name() string
	// Unrestricted reports that the user may do everything: asked before every
	// command.
	Unrestricted() bool
	// Check reports whether the user may make a call; d says why not.
	Check(spec *Spec, args [][]byte) (d Denial, ok bool)
}

// Denial is why a call isn't allowed.
type Denial struct {
	Reason DenialReason
	Object string // the full name of the command, the key, or the channel
}

// DenialReason is one of those that ACL LOG knows.
type DenialReason string

// The reasons. DeniedAuth is a wrong password.
const (
	DeniedCommand DenialReason = "command"
	DeniedKey     DenialReason = "key"
	DeniedChannel DenialReason = "channel"
	DeniedAuth    DenialReason = "auth"
)

// Text is the denial in Redis's words, without a code. With verbose it names what
// the user mustn't touch: only where the user can't be told what is there by it.
func (d Denial) Text(user string, verbose bool) string {
	switch {
	case d.Reason == DeniedCommand:
		return "User " + user + " has no permissions to run the '" + d.Object + "' command"
	case d.Reason == DeniedKey && verbose:
		return "User " + user + " has no permissions to access the '" + d.Object + "' key"
	case d.Reason == DeniedKey:
		return "No permissions to access a key"
	case d.Reason == DeniedChannel && verbose:
		return "User " + user + " has no permissions to access the '" + d.Object + "' channel"
	}
	return "No permissions to access a channel"
}

// Categories are the names of the ACL categories the command belongs to.
func (s *Spec) Categories() []string { return s.categories() }

// CategoryNames are the names of all ACL categories, in Redis's order.
func CategoryNames() []string {
	names := make([]string, len(categories))
	for i, c := range categories {
		names[i] = c.name
	}
	return names
}
