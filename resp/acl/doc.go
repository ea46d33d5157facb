// Package acl decides what users may do, as Redis's access control lists do: which
// commands they may run, on which keys and channels.
//
// A [User] has passwords and selectors. A selector says which commands are
// allowed, for which keys and for which channels; a call is allowed if one of the
// user's selectors allows all of it. The first selector is the user's own rules,
// the others stand in parentheses. [Users] are all users, and the log of what was
// refused.
//
// A user that is changed is replaced: sessions hold a [Handle], which always shows
// the current rules. Checking takes no lock.
//
// The package knows commands by their table only, and no session.
package acl
