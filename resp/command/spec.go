package command

// Flags of a command: those that COMMAND INFO shows, with Redis's meaning, and
// a few of ours.
type Flags uint64

// The flags that COMMAND INFO shows, in the order in which it shows them.
const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	SkipMonitor
	SkipSlowlog
	Asking
	Fast
	NoAuth
	MayReplicate
	NoAsyncLoading
	NoMulti
	AllowBusy
	MovableKeys // set by Build where the key specification can't be said with first/last/step

	// Protected commands need enable-debug-command (DEBUG).
	Protected
	// WholeStore commands have no keys but touch the store at large (KEYS,
	// FLUSHALL, DBSIZE, ...): they run with every partition locked.
	WholeStore
	// Detached commands may wait (for the Raft group, for a peer): they run
	// with no partition locked and may block the session's goroutine. They
	// lock what they need themselves, through [Keyspace]. Inside EXEC the
	// transaction's locks are given up for them, and taken again after; a
	// command that is WholeStore as well runs there with every partition
	// locked instead, and must look at Ctx.InExec before it locks.
	Detached
	// HasTouchless commands never refresh a key's access time.
	NoTouch
	// Internal commands are not shown to clients (COMMAND LIST omits them).
	Internal
	// Scripting commands run others, as a transaction does, or, like SORT, read
	// keys that they don't name: outside cluster mode, and if they name no keys,
	// with every partition locked.
	Scripting
	// NoMandatoryKeys says that a call may name no keys although the command has
	// key specifications. Shown by COMMAND INFO; MayReplicate is not, as in Redis.
	NoMandatoryKeys
)

// Categories are the ACL categories that can't be derived from Flags.
type Categories uint32

// The ACL categories of Redis 7.2 that a Spec must name. The others (@write,
// @read, @slow, @fast, @admin, @dangerous by Admin, @pubsub, @blocking) follow
// from the flags.
const (
	CatKeyspace Categories = 1 << iota
	CatString
	CatBitmap
	CatHash
	CatList
	CatSet
	CatSortedSet
	CatStream
	CatHyperLogLog
	CatGeo
	CatConnection
	CatTransaction
	CatScripting
	CatDangerous
	CatPubSub
	CatAdmin // of commands without the Admin flag (ROLE, REPLCONF)
)

// Handler runs one command: it reads c.Args and writes exactly one reply.
type Handler func(c *Ctx)

// Spec is everything there is to know about a command, or a subcommand.
type Spec struct {
	Name  string // lower case; of a subcommand the last word only
	Arity int    // Redis's: counts the name (and the container's); negative = at least
	Flags Flags
	ACL   Categories
	Keys  []KeySpec // nil: no keys

	Group string   // "string", "generic", "cluster", ... as in COMMAND DOCS
	Since string   // version of Redis that introduced it
	Cost  string   // complexity, "O(1)"
	Doc   string   // one sentence, ours
	Args  string   // grammar, as in redis-cli's help: "key value [NX | XX] [GET] ..."
	Tips  []string // "request_policy:all_shards", "nondeterministic_output", ...

	// FlagsOf, where set, is Flags for a call with these arguments: it depends
	// on them (EVAL of a script that says what it does).
	FlagsOf func(args [][]byte) Flags

	Sub []Spec // subcommands; Run of a container is nil
	Run Handler

	// Batch, where set, runs consecutive queued commands of one transaction
	// that share the same Batch as one. It writes one reply for each.
	// Functions can't be compared: commands share a batch if BatchName is equal.
	Batch     func(cs []*Ctx)
	BatchName string

	// Set by Build.
	full   string // "cluster|nodes"
	parent *Spec
	index  int        // in Table.All
	legacy [3]int     // first, last, step of COMMAND INFO
	simple int        // see SimpleKey
	args   []argument // of Args
}

// FullName is the name with the container's in front: "get", "cluster|nodes".
func (s *Spec) FullName() string {
	if s.full != "" {
		return s.full
	}
	return s.Name
}

// CallFlags are the flags of a call with these arguments.
func (s *Spec) CallFlags(args [][]byte) Flags {
	if s.FlagsOf != nil {
		return s.FlagsOf(args)
	}
	return s.Flags
}

// Is reports whether all of f are set.
func (s *Spec) Is(f Flags) bool { return s.Flags&f == f }

// KeySpec says where a command's keys are, in Redis's terms (begin search and
// find keys), and what is done to them. Positions count from the command name,
// which is 0.
type KeySpec struct {
	Begin int // index of the first key, or of numkeys if NumKeys is set
	// Keyword, where set, makes the search begin after this word, looked for
	// from index Begin on (from the end, backwards, if Begin is negative).
	Keyword string
	Last    int // relative to the first key; 0 = only it; -1 = last argument; -2 = one before, ...
	Step    int // 0 means 1
	// Limit: with Last -1, 0 or 1 = no limit, 2 = the first half of what is left (XREAD).
	Limit int
	// NumKeys: the number of keys stands at Begin; the keys follow it.
	NumKeys bool
	// Find, where set, overrules the rest: it appends the indexes of the keys
	// to dst. It returns an error for a malformed command; the command then
	// counts as having no keys and reports its own syntax error.
	Find  func(dst []int, args [][]byte) ([]int, error)
	Flags KeyFlags
}

// KeyFlags say what a command does to a key.
type KeyFlags uint16

// As in COMMAND INFO's key specifications.
const (
	RW KeyFlags = 1 << iota
	RO
	OW
	RM
	Access
	Update
	Insert
	Delete
	NotKey // a channel, not a key (SPUBLISH)
	Incomplete
	VariableFlags
)
