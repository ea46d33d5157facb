package commands

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"conclave/resp/acl"
	"conclave/resp/command"
	"conclave/resp/server"
)

// ACLFiles is where users are kept.
type ACLFiles struct {
	// Path is aclfile, or empty.
	Path string
	// LogLen is acllog-max-len.
	LogLen func() int
	// Changed is told of all users after a change; nil: nobody is.
	Changed func(lines []string)
}

func (r *room) aclSpecs() []command.Spec {
	if r.Users == nil {
		return nil
	}
	r.Server.OnRefusal(r.noteRefusal)
	const flags = adminFlags
	sub := func(name string, arity int, f command.Flags, since, cost, args, doc string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: f, Group: "server", Since: since, Cost: cost, Args: args, Doc: doc, Run: run}
	}
	const open = command.NoScript | command.Loading | command.Stale
	return []command.Spec{{
		Name: "acl", Arity: -2, Group: "server", Since: "6.0.0", Cost: "Depends on subcommand.", Doc: "A container for Access List Control commands.",
		Sub: []command.Spec{
			sub("cat", -2, open, "6.0.0", "O(1) since the categories and commands are a fixed set.", "[category]", "Lists the categories of commands, or the commands of one.", r.aclCat),
			sub("deluser", -3, flags, "6.0.0", "O(1) amortized time considering the typical user.", "username [username ...]", "Deletes users, and ends their connections.", r.aclDelUser),
			sub("dryrun", -4, flags, "7.0.0", "O(1).", "username command [arg [arg ...]]", "Says whether a user may make a call, without making it.", r.aclDryRun),
			sub("genpass", -2, open, "6.0.0", "O(1)", "[bits]", "Makes a random password.", aclGenPass),
			sub("getuser", 3, flags, "6.0.0", "O(N). Where N is the number of password, command and pattern rules that the user has.", "username", "Lists the rules of a user.", r.aclGetUser),
			sub("list", 2, flags, "6.0.0", "O(N). Where N is the number of configured users.", "", "Lists all users in the words of an ACL file.", r.aclList),
			sub("load", 2, flags, "6.0.0", "O(N). Where N is the number of configured users.", "", "Replaces the users by those of the ACL file.", r.aclLoad),
			sub("log", -2, flags, "6.0.0", "O(N) with N being the number of entries shown.", "[count | RESET]", "Lists what was refused lately.", r.aclLog),
			sub("save", 2, flags, "6.0.0", "O(N). Where N is the number of configured users.", "", "Writes the users to the ACL file.", r.aclSave),
			sub("setuser", -3, flags, "6.0.0", "O(N). Where N is the number of rules provided.", "username [rule [rule ...]]", "Creates or changes a user.", r.aclSetUser),
			sub("users", 2, flags, "6.0.0", "O(N). Where N is the number of configured users.", "", "Lists the names of all users.", r.aclUsers),
			sub("whoami", 2, open, "6.0.0", "O(1)", "", "Names the user of the connection.", aclWhoAmI),
			helpSpec("6.0.0", 0, aclHelp),
		},
	}}
}

func (r *room) aclCat(c *command.Ctx) {
	if len(c.Args) > 3 {
		c.Error("ERR unknown subcommand or wrong number of arguments for '" + clip(c.Arg(1)) + "'. Try ACL HELP.")
		return
	}
	names := command.CategoryNames()
	if len(c.Args) == 3 {
		cat := strings.ToLower(string(c.Arg(2)))
		if !slices.Contains(names, cat) {
			c.Error("ERR Unknown category '" + clip(c.Arg(2)) + "'")
			return
		}
		names = names[:0]
		for _, s := range c.Table().All() {
			if slices.Contains(s.Categories(), cat) {
				names = append(names, s.FullName())
			}
		}
	}
	words(c, names)
}

func words(c *command.Ctx, list []string) {
	c.Array(len(list))
	for _, w := range list {
		c.BulkString(w)
	}
}

func (r *room) aclSetUser(c *command.Ctx) {
	for i := 2; i < len(c.Args); i++ {
		session(c).Redact(i)
	}
	rules := make([]string, 0, len(c.Args))
	for _, a := range c.Args[3:] {
		rules = append(rules, string(a))
	}
	name := string(c.Arg(2))
	if err := r.Users().Set(name, rules); err != nil {
		c.Error("ERR " + err.Error())
		return
	}
	r.usersChanged()
	r.endForbidden(c, name)
	c.OK()
}

func (r *room) usersChanged() {
	if r.ACL.Changed != nil {
		r.ACL.Changed(r.Users().Lines())
	}
}

// endForbidden ends the connections that listen to channels which their user may
// not listen to any more.
func (r *room) endForbidden(c *command.Ctx, name string) {
	user := r.Users().Get(name)
	if user == nil {
		return
	}
	for _, s := range r.Server.Sessions() {
		if s.User() != name {
			continue
		}
		forbidden := false
		s.EachSubscription(func(kind server.Topic, channel string) {
			forbidden = forbidden || !user.MaySubscribe([]byte(channel), kind == server.Pattern)
		})
		if forbidden {
			end(c, s)
		}
	}
}

// end ends a connection: the caller's after its reply.
func end(c *command.Ctx, s *server.Session) {
	if s == session(c) {
		s.CloseAfterReply()
	} else {
		s.Kill()
	}
}

func (r *room) endUsers(c *command.Ctx, names []string) {
	for _, s := range r.Server.Sessions() {
		if s.Authenticated() && slices.Contains(names, s.User()) {
			end(c, s)
		}
	}
}

func (r *room) aclDelUser(c *command.Ctx) {
	for _, a := range c.Args[2:] {
		if string(a) == acl.DefaultName {
			c.Error("ERR The 'default' user cannot be removed")
			return
		}
	}
	var gone []string
	for _, a := range c.Args[2:] {
		if r.Users().Delete(string(a)) {
			gone = append(gone, string(a))
		}
	}
	r.usersChanged()
	r.endUsers(c, gone)
	c.Int(int64(len(gone)))
}

func (r *room) aclGetUser(c *command.Ctx) {
	u := r.Users().Get(string(c.Arg(2)))
	if u == nil {
		c.Null()
		return
	}
	i := u.Info()
	c.Map(6)
	c.BulkString("flags")
	c.Set(len(i.Flags))
	for _, f := range i.Flags {
		c.BulkString(f)
	}
	c.BulkString("passwords")
	words(c, i.Passwords)
	selector(c, i.SelectorInfo)
	c.BulkString("selectors")
	c.Array(len(i.Selectors))
	for _, s := range i.Selectors {
		c.Map(3)
		selector(c, s)
	}
}

func selector(c *command.Ctx, s acl.SelectorInfo) {
	for _, kv := range [...][2]string{{"commands", s.Commands}, {"keys", s.Keys}, {"channels", s.Channels}} {
		c.BulkString(kv[0])
		c.BulkString(kv[1])
	}
}

func (r *room) aclList(c *command.Ctx)  { words(c, r.Users().Lines()) }
func (r *room) aclUsers(c *command.Ctx) { words(c, r.Users().Names()) }
func aclWhoAmI(c *command.Ctx)          { c.BulkString(session(c).User()) }

func aclGenPass(c *command.Ctx) {
	const most = 4096
	bits := int64(256)
	if len(c.Args) == 3 {
		n, err := strconv.ParseInt(string(c.Arg(2)), 10, 64)
		if err != nil {
			c.Error(command.ErrNotInteger)
			return
		}
		if n <= 0 || n > most {
			c.Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
			return
		}
		bits = n
	} else if len(c.Args) > 3 {
		c.Error("ERR unknown subcommand or wrong number of arguments for '" + clip(c.Arg(1)) + "'. Try ACL HELP.")
		return
	}
	digits := (bits + 3) / 4
	b := make([]byte, (digits+1)/2)
	rand.Read(b) // never fails
	c.BulkString(hex.EncodeToString(b)[:digits])
}

func (r *room) aclDryRun(c *command.Ctx) {
	u := r.Users().Get(string(c.Arg(2)))
	if u == nil {
		c.Error("ERR User '" + clip(c.Arg(2)) + "' not found")
		return
	}
	args := c.Args[3:]
	spec := c.Table().Resolve(args)
	if spec == nil || spec.Run == nil && len(args) > 1 {
		c.Error("ERR Command '" + clip(args[0]) + "' not found")
		return
	}
	if spec.Run == nil || !spec.ArityOK(len(args)) {
		c.Error("ERR wrong number of arguments for '" + spec.FullName() + "' command")
		return
	}
	if d, ok := u.Check(spec, args); !ok {
		c.BulkString(d.Text(u.Name(), true))
		return
	}
	c.OK()
}

const errNoACLFile = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration."

func (r *room) aclLoad(c *command.Ctx) {
	if r.ACL.Path == "" {
		c.Error(errNoACLFile)
		return
	}
	gone, err := LoadUsers(r.Users(), r.ACL.Path)
	if err != nil {
		r.Log.Warn("the ACL file wasn't loaded", "err", err)
		c.Error("ERR " + strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	r.endUsers(c, slices.DeleteFunc(gone, func(n string) bool { return n == acl.DefaultName }))
	c.OK()
}

// LoadUsers reads an ACL file.
func LoadUsers(u *acl.Users, path string) (gone []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("Error loading ACLs, opening file '%s': %w", path, errors.Unwrap(err))
	}
	defer f.Close()
	if gone, err = u.Load(f); err != nil {
		err = fmt.Errorf("%s:%w WARNING: ACL errors detected, no change to the previously active ACL rules was performed", path, err)
	}
	return gone, err
}

func (r *room) aclSave(c *command.Ctx) {
	if r.ACL.Path == "" {
		c.Error(errNoACLFile)
		return
	}
	if err := saveUsers(r.Users(), r.ACL.Path); err != nil {
		r.Log.Warn("the ACL file wasn't written", "err", err)
		c.Error("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
		return
	}
	c.OK()
}

func saveUsers(u *acl.Users, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("make a temporary ACL file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.WriteString(strings.Join(u.Lines(), "\n") + "\n"); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("write the ACL file: %w", err)
	}
	if err = f.Close(); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("replace the ACL file: %w", err)
	}
	return nil
}

func (r *room) noteRefusal(f server.Refusal) {
	now := time.Now()
	max := 128
	if r.ACL.LogLen != nil {
		max = r.ACL.LogLen()
	}
	r.Users().Log.Add(acl.Entry{Reason: f.Reason, Context: f.Context, Object: f.Object, User: f.User,
		Client: strings.TrimRight(string(appendClient(nil, f.Session, now)), "\n")}, now, max)
}

func (r *room) aclLog(c *command.Ctx) {
	n := 10
	switch {
	case len(c.Args) > 3:
		c.Error("ERR unknown subcommand or wrong number of arguments for '" + clip(c.Arg(1)) + "'. Try ACL HELP.")
		return
	case len(c.Args) == 3 && c.Is(2, "reset"):
		r.Users().Log.Reset()
		c.OK()
		return
	case len(c.Args) == 3:
		v, err := strconv.ParseInt(string(c.Arg(2)), 10, 32)
		if err != nil {
			c.Error(command.ErrNotInteger)
			return
		}
		n = max(int(v), 0)
	}
	now := time.Now()
	entries := r.Users().Log.Entries(n)
	c.Array(len(entries))
	for _, e := range entries {
		c.Map(10)
		c.BulkString("count")
		c.Int(int64(e.Count))
		for _, kv := range [...][2]string{{"reason", string(e.Reason)}, {"context", e.Context}, {"object", e.Object}, {"username", e.User}} {
			c.BulkString(kv[0])
			c.BulkString(kv[1])
		}
		c.BulkString("age-seconds")
		c.Double(float64(now.Sub(e.Created).Milliseconds()) / 1000)
		c.BulkString("client-info")
		c.BulkString(e.Client)
		c.BulkString("entry-id")
		c.Int(e.ID)
		c.BulkString("timestamp-created")
		c.Int(e.Created.UnixMilli())
		c.BulkString("timestamp-last-updated")
		c.Int(e.Last.UnixMilli())
	}
}

func aclHelp(c *command.Ctx) {
	help(c, "ACL",
		"CAT [<category>]",
		"    List all commands that belong to <category>, or all command categories",
		"    when no category is specified.",
		"DELUSER <username> [<username> ...]",
		"    Delete a list of users.",
		"DRYRUN <username> <command> [<arg> ...]",
		"    Returns whether the user can execute the given command without executing the command.",
		"GETUSER <username>",
		"    Get the user's details.",
		"GENPASS [<bits>]",
		"    Generate a secure 256-bit user password. The optional `bits` argument can",
		"    be used to specify a different size.",
		"LIST",
		"    Show users details in config file format.",
		"LOAD",
		"    Reload users from the ACL file.",
		"LOG [<count> | RESET]",
		"    Show the ACL log entries.",
		"SAVE",
		"    Save the current config to the ACL file.",
		"SETUSER <username> <attribute> [<attribute> ...]",
		"    Create or modify a user with the specified attributes.",
		"USERS",
		"    List all the registered usernames.",
		"WHOAMI",
		"    Return the current connection username.")
}
