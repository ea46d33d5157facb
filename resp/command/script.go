package command

import "time"

// Script is one run of a script or a function, as its engine and the session that
// runs it see it. It belongs to the goroutine that runs the script.
type Script struct {
	// Of the engine.
	Function bool  // of FCALL, not of EVAL
	ReadOnly bool  // commands that write are refused
	AllowOOM bool  // commands run whatever the memory
	Strict   bool  // undeclared keys must lie in the slot of the others, too
	Declared Flags // what the script's own flags make of those of the command
	// CrossSlot: the script said that its keys may lie in several slots.
	CrossSlot bool
	// Unkept: what is called from now on has no effect elsewhere (set_repl).
	Unkept bool
	// Counted: the error with which it ends was counted already, as a call's.
	Counted bool

	// Of the session.
	Wrote bool // a command that writes has been called
	Began time.Time
	State ScriptState
}

// ScriptState is what the session keeps of a run.
type ScriptState struct {
	Slot    int    // of the keys used so far; -1 = none yet
	Keyed   bool   // the call declared keys
	Widened uint64 // partitions locked beyond those of the call
	// The session's, of the call that runs the script.
	Query    Query
	Subjects [][]byte
	DB       int
	// Scratch is memory for the subjects of its own calls.
	Scratch [][]byte
	Unit    bool // effects are gathered for this run
	Held    bool // HoldScript was called
}

// Host is what a session offers to a script that it runs. The partitions of the
// call's keys are locked; outside cluster mode, and if it names none, all are.
type Host interface {
	Session
	// BeginScript begins a run: c is the context of the command that runs the
	// script. It returns the text of an error if the script must not run; then it
	// hasn't begun.
	BeginScript(c *Ctx, x *Script) string
	// CallScripted runs a command for the script and leaves its reply in the
	// writer of inner, a context of the script's own. It returns the text of an
	// error if the command was refused; then there is no reply.
	CallScripted(x *Script, inner *Ctx, args [][]byte) string
	// HoldScript says that the script takes long. Others learn of it, and nobody
	// is kept waiting who needn't be.
	HoldScript(x *Script)
	// EndScript ends the run.
	EndScript(c *Ctx, x *Script)
}
