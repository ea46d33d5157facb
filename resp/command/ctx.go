package command

import (
	"strings"

	"conclave/resp"
)

// Ctx is what a handler sees of one call. It is reused: neither it nor a slice
// reached through it may be kept after the handler returns.
type Ctx struct {
	Spec    *Spec
	Args    [][]byte // Args[0] is the command's name as it was sent
	Session Session
	*resp.Writer

	// NowMs is the wall clock in Unix milliseconds, read once per command or
	// transaction: every expiry decision in one call uses the same instant.
	NowMs int64
	// InExec is set while EXEC (or a script) runs the command: handlers that
	// could block answer at once instead.
	InExec bool
	// Obey is set where the call repeats what another server, or this one, has
	// done: from an append-only file, or from the master. Then NowMs isn't the
	// clock, and what binds clients doesn't bind the call: times it names are taken
	// as they are, limits of how much it may do aren't looked at.
	Obey bool

	table *Table

	effects   [][][]byte
	rewritten bool
	unkept    bool
	// edited and editedText are what RewriteArg writes to.
	edited     [][]byte
	editedText []byte
	wait       *Wait
}

// NewCtx prepares a context; the server and tests call it.
func NewCtx(t *Table, s Session, w *resp.Writer) *Ctx { return &Ctx{table: t, Session: s, Writer: w} }

// Table is the command table the call was looked up in.
func (c *Ctx) Table() *Table { return c.table }

// Arg is the i-th argument, 0 being the command's name.
func (c *Ctx) Arg(i int) []byte { return c.Args[i] }

// Is reports whether the i-th argument equals word, ignoring ASCII case.
func (c *Ctx) Is(i int, word string) bool { return EqualFold(c.Args[i], word) }

// WrongType, Syntax and NotInteger are the errors that most families share.
const (
	ErrWrongType  = "WRONGTYPE Operation against a key holding the wrong kind of value"
	ErrSyntax     = "ERR syntax error"
	ErrNotInteger = "ERR value is not an integer or out of range"
	ErrNotFloat   = "ERR value is not a valid float"
	ErrNoSuchKey  = "ERR no such key"
	ErrOutOfRange = "ERR index out of range"
	ErrOOM        = "OOM command not allowed when used memory > 'maxmemory'."
)

// EqualFold compares ignoring ASCII case, without allocating.
func EqualFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s)
}

// Session is what a command may know of the connection it came from. The
// concrete type belongs to resp/server; commands about the session itself
// (resp/commands) use that type.
type Session interface {
	ID() uint64
	// DB is the selected database; always 0 in cluster mode.
	DB() int
	SetDB(int)
	// NoTouch is set by CLIENT NO-TOUCH ON: reads leave access times alone.
	NoTouch() bool
	// ReadOnly and Asking are the cluster flags of the connection. SetAsking
	// holds for the next command, or the next transaction.
	ReadOnly() bool
	SetReadOnly(bool)
	SetAsking()
	// Host is the local address the client connected to, without a port;
	// empty for unix sockets.
	Host() string
	// TLS is set if the connection is encrypted: addresses in replies then
	// carry TLS ports.
	TLS() bool
}
