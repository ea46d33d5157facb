package command

var flagNames = []struct {
	flag Flags
	name string
}{
	{Write, "write"}, {ReadOnly, "readonly"}, {DenyOOM, "denyoom"}, {Admin, "admin"}, {PubSub, "pubsub"},
	{NoScript, "noscript"}, {Blocking, "blocking"}, {Loading, "loading"}, {Stale, "stale"},
	{SkipMonitor, "skip_monitor"}, {SkipSlowlog, "skip_slowlog"}, {Asking, "asking"}, {Fast, "fast"},
	{NoAuth, "no_auth"}, {NoAsyncLoading, "no_async_loading"},
	{NoMulti, "no_multi"}, {NoMandatoryKeys, "no_mandatory_keys"}, {MovableKeys, "movablekeys"}, {AllowBusy, "allow_busy"},
}

var keyFlagNames = []struct {
	flag KeyFlags
	name string
}{
	{RO, "RO"}, {RW, "RW"}, {OW, "OW"}, {RM, "RM"}, {Access, "access"}, {Update, "update"}, {Insert, "insert"},
	{Delete, "delete"}, {NotKey, "not_key"}, {Incomplete, "incomplete"}, {VariableFlags, "variable_flags"},
}

// categories are the ACL categories in Redis's order: those a Spec names, or
// those that follow from flags.
var categories = []struct {
	cat   Categories
	flags Flags
	name  string
}{
	{CatKeyspace, 0, "keyspace"}, {0, ReadOnly, "read"}, {0, Write, "write"}, {CatSet, 0, "set"},
	{CatSortedSet, 0, "sortedset"}, {CatList, 0, "list"}, {CatHash, 0, "hash"}, {CatString, 0, "string"},
	{CatBitmap, 0, "bitmap"}, {CatHyperLogLog, 0, "hyperloglog"}, {CatGeo, 0, "geo"}, {CatStream, 0, "stream"},
	{CatPubSub, PubSub, "pubsub"}, {CatAdmin, Admin, "admin"}, {0, Fast, "fast"}, {0, 0, "slow"}, {0, Blocking, "blocking"},
	{CatDangerous, Admin, "dangerous"}, {CatConnection, 0, "connection"}, {CatTransaction, 0, "transaction"},
	{CatScripting, 0, "scripting"},
}

// inCategory reports whether the command belongs to an ACL category.
func (s *Spec) inCategory(name string) bool {
	for _, c := range s.categories() {
		if c == name {
			return true
		}
	}
	return false
}

func (s *Spec) categories() (names []string) {
	for _, c := range categories {
		in := s.ACL&c.cat != 0 || s.Flags&c.flags != 0
		switch c.name {
		case "slow":
			in = s.Flags&Fast == 0
		case "read":
			in = in && s.ACL&CatScripting == 0
		}
		if in {
			names = append(names, c.name)
		}
	}
	return names
}

// writeInfo writes a command's entry of COMMAND INFO.
func writeInfo(c *Ctx, s *Spec) {
	c.Array(10)
	c.BulkString(s.full)
	c.Int(int64(s.Arity))
	var flags []string
	for _, f := range flagNames {
		if s.Flags&f.flag != 0 {
			flags = append(flags, f.name)
		}
	}
	c.Set(len(flags))
	for _, f := range flags {
		c.Simple(f)
	}
	for _, n := range s.legacy {
		c.Int(int64(n))
	}
	cats := s.categories()
	c.Set(len(cats))
	for _, cat := range cats {
		c.Simple("@" + cat)
	}
	c.Set(len(s.Tips))
	for _, t := range s.Tips {
		c.BulkString(t)
	}
	c.Set(len(s.Keys))
	for i := range s.Keys {
		writeKeySpec(c, &s.Keys[i])
	}
	if len(s.Sub) == 0 {
		c.Set(0)
		return
	}
	c.Array(len(s.Sub))
	for i := range s.Sub {
		writeInfo(c, &s.Sub[i])
	}
}

func writeKeyFlags(c *Ctx, f KeyFlags) {
	var names []string
	for _, k := range keyFlagNames {
		if f&k.flag != 0 {
			names = append(names, k.name)
		}
	}
	c.Set(len(names))
	for _, n := range names {
		c.Simple(n)
	}
}

func writeKeySpec(c *Ctx, k *KeySpec) {
	c.Map(3)
	c.BulkString("flags")
	writeKeyFlags(c, k.Flags)

	c.BulkString("begin_search")
	c.Map(2)
	c.BulkString("type")
	hidden := k.Find != nil && k.Keyword == "" && k.Begin <= 0
	switch {
	case hidden:
		c.BulkString("unknown")
		c.BulkString("spec")
		c.Map(0)
	case k.Keyword != "":
		c.BulkString("keyword")
		c.BulkString("spec")
		c.Map(2)
		c.BulkString("keyword")
		c.BulkString(k.Keyword)
		c.BulkString("startfrom")
		c.Int(int64(k.Begin))
	default:
		c.BulkString("index")
		c.BulkString("spec")
		c.Map(1)
		c.BulkString("index")
		c.Int(int64(k.Begin))
	}

	c.BulkString("find_keys")
	c.Map(2)
	c.BulkString("type")
	switch {
	case hidden:
		c.BulkString("unknown")
		c.BulkString("spec")
		c.Map(0)
	case k.NumKeys:
		c.BulkString("keynum")
		c.BulkString("spec")
		c.Map(3)
		c.BulkString("keynumidx")
		c.Int(0)
		c.BulkString("firstkey")
		c.Int(1)
		c.BulkString("keystep")
		c.Int(int64(k.step()))
	default:
		c.BulkString("range")
		c.BulkString("spec")
		c.Map(3)
		c.BulkString("lastkey")
		c.Int(int64(k.Last))
		c.BulkString("keystep")
		c.Int(int64(k.step()))
		c.BulkString("limit")
		c.Int(int64(k.Limit))
	}
}

func commandDocs(c *Ctx) {
	specs := c.table.shown()
	if len(c.Args) > 2 {
		specs = specs[:0:0]
		for _, name := range c.Args[2:] {
			if s := c.table.Full(string(name)); s != nil {
				specs = append(specs, s)
			}
		}
	}
	c.Map(len(specs))
	for _, s := range specs {
		c.BulkString(s.full)
		writeDocs(c, s)
	}
}

// writeDocs writes a command's entry of COMMAND DOCS.
func writeDocs(c *Ctx, s *Spec) {
	n := 2
	for _, there := range []bool{s.Group != "", s.Cost != "", len(s.args) > 0, len(s.Sub) > 0} {
		if there {
			n++
		}
	}
	since := s.Since
	if since == "" {
		since = "1.0.0"
	}
	c.Map(n)
	pair := func(name, value string) {
		c.BulkString(name)
		c.BulkString(value)
	}
	pair("summary", s.Doc)
	pair("since", since)
	if s.Group != "" {
		pair("group", s.Group)
	}
	if s.Cost != "" {
		pair("complexity", s.Cost)
	}
	if len(s.args) > 0 {
		c.BulkString("arguments")
		keys := 0
		writeArguments(c, s, s.args, &keys)
	}
	if len(s.Sub) > 0 {
		c.BulkString("subcommands")
		c.Map(len(s.Sub))
		for i := range s.Sub {
			c.BulkString(s.Sub[i].full)
			writeDocs(c, &s.Sub[i])
		}
	}
}

// writeArguments writes a command's syntax; keys counts the key arguments so
// far, which stand for the key specifications in their order.
func writeArguments(c *Ctx, s *Spec, args []argument, keys *int) {
	c.Array(len(args))
	for i := range args {
		a := &args[i]
		isKey := a.kind == argKey && len(s.Keys) > 0
		var flags []string
		if a.optional {
			flags = append(flags, "optional")
		}
		if a.multiple {
			flags = append(flags, "multiple")
		}
		n := 2
		for _, there := range []bool{isKey, a.token != "", len(flags) > 0, len(a.sub) > 0} {
			if there {
				n++
			}
		}
		c.Map(n)
		c.BulkString("name")
		c.BulkString(a.name)
		c.BulkString("type")
		c.BulkString(string(a.kind))
		if isKey {
			c.BulkString("key_spec_index")
			c.Int(int64(min(*keys, len(s.Keys)-1)))
			*keys++
		}
		if a.token != "" {
			c.BulkString("token")
			c.BulkString(a.token)
		}
		if len(flags) > 0 {
			c.BulkString("flags")
			c.Set(len(flags))
			for _, f := range flags {
				c.Simple(f)
			}
		}
		if len(a.sub) > 0 {
			c.BulkString("arguments")
			writeArguments(c, s, a.sub, keys)
		}
	}
}
