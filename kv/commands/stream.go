package commands

import (
	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) streamSpecs() []command.Spec {
	const (
		w   = command.Write
		oom = command.DenyOOM
		r   = command.ReadOnly
		f   = command.Fast
		acl = command.CatStream
	)
	loose := []string{"nondeterministic_output"}
	streams := func(from int) []command.KeySpec {
		return []command.KeySpec{{Keyword: "STREAMS", Begin: from, Last: -1, Limit: 2, Flags: command.RO | command.Access}}
	}
	const trim = "<MAXLEN | MINID> [= | ~] threshold [LIMIT count]"
	specs := []command.Spec{
		{Name: "xadd", Arity: -5, Flags: w | oom | f, Keys: keySpec(command.RW | command.Update), Since: "5.0.0",
			Cost: "O(1) when adding an entry, O(N) when trimming, N being the number of entries removed", Tips: loose,
			Args: "key [NOMKSTREAM] [" + trim + "] <* | id> field value [field value ...]",
			Doc:  "Appends an entry to a stream. Creates the key if it doesn't exist.", Run: h.xadd},
		{Name: "xlen", Arity: 2, Flags: r | f, Keys: keySpec(command.RO), Since: "5.0.0", Cost: "O(1)", Args: "key",
			Doc: "Returns the number of entries of a stream.", Run: h.xlen},
		{Name: "xrange", Arity: -4, Flags: r, Keys: keySpec(command.RO | command.Access), Since: "5.0.0",
			Cost: "O(N) with N being the number of entries returned", Args: "key start end [COUNT count]",
			Doc: "Returns the entries of a stream within a range of IDs.", Run: func(c *command.Ctx) { h.xrange(c, false) }},
		{Name: "xrevrange", Arity: -4, Flags: r, Keys: keySpec(command.RO | command.Access), Since: "5.0.0",
			Cost: "O(N) with N being the number of entries returned", Args: "key end start [COUNT count]",
			Doc: "Returns the entries of a stream within a range of IDs in reverse order.", Run: func(c *command.Ctx) { h.xrange(c, true) }},
		{Name: "xdel", Arity: -3, Flags: w | f, Keys: keySpec(command.RW | command.Delete), Since: "5.0.0",
			Cost: "O(1) for each entry", Args: "key id [id ...]",
			Doc: "Removes entries from a stream and returns how many there were.", Run: h.xdel},
		{Name: "xtrim", Arity: -4, Flags: w, Keys: keySpec(command.RW | command.Delete), Since: "5.0.0",
			Cost: "O(N), with N being the number of entries removed", Tips: loose, Args: "key (" + trim + ")",
			Doc: "Removes the oldest entries of a stream.", Run: h.xtrim},
		{Name: "xsetid", Arity: -3, Flags: w | oom | f, Keys: keySpec(command.RW | command.Update), Since: "5.0.0", Cost: "O(1)",
			Args: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
			Doc:  "Sets the counters of a stream; used for replication.", Run: h.xsetid},
		{Name: "xread", Arity: -4, Flags: r | command.Blocking, Keys: streams(1), Since: "5.0.0",
			Cost: "O(N) for each stream, N being the number of entries returned",
			Args: "[COUNT count] [BLOCK milliseconds] (STREAMS key [key ...] id [id ...])",
			Doc:  "Returns the entries of streams with IDs greater than those given. Blocks until there is one, if told so.", Run: h.xread},
		{Name: "xreadgroup", Arity: -7, Flags: w | command.Blocking, Keys: streams(4), Since: "5.0.0",
			Cost: "O(N) for each stream, N being the number of entries returned",
			Args: "(GROUP group consumer) [COUNT count] [BLOCK milliseconds] [NOACK] (STREAMS key [key ...] id [id ...])",
			Doc:  "Returns new or pending entries of streams for a consumer of a group. Blocks until there is one, if told so.", Run: h.xreadgroup},
		{Name: "xack", Arity: -4, Flags: w | f, Keys: keySpec(command.RW | command.Update), Since: "5.0.0",
			Cost: "O(1) for each entry", Args: "key group id [id ...]",
			Doc: "Acknowledges entries and returns how many of them were pending.", Run: h.xack},
		{Name: "xpending", Arity: -3, Flags: r, Keys: keySpec(command.RO | command.Access), Since: "5.0.0", Tips: loose,
			Cost: "O(N) with N being the number of entries returned, or looked at with IDLE", Args: "key group [[IDLE min-idle-time] start end count [consumer]]",
			Doc: "Returns what is known of the pending entries of a group.", Run: h.xpending},
		{Name: "xclaim", Arity: -6, Flags: w | f, Keys: keySpec(command.RW | command.Update), Since: "5.0.0", Tips: loose,
			Cost: "O(log N) for each entry, N being the number of pending entries of the group",
			Args: "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
			Doc:  "Makes a consumer the owner of pending entries.", Run: h.xclaim},
		{Name: "xautoclaim", Arity: -6, Flags: w | f, Keys: keySpec(command.RW | command.Delete), Since: "6.2.0", Tips: loose,
			Cost: "O(1) if COUNT is small", Args: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
			Doc: "Makes a consumer the owner of entries that have been pending for some time.", Run: h.xautoclaim},
		{Name: "xgroup", Arity: -2, Since: "5.0.0", Cost: "Depends on subcommand.",
			Doc: "A container for consumer group commands.", Sub: h.xgroupSpecs()},
		{Name: "xinfo", Arity: -2, Since: "5.0.0", Cost: "Depends on subcommand.",
			Doc: "A container for stream introspection commands.", Sub: h.xinfoSpecs()},
	}
	for i := range specs {
		specs[i].Group = "stream"
		if specs[i].Sub == nil {
			specs[i].ACL = acl
		}
	}
	return specs
}

// stream opens the key that is the command's first argument; ok is false if the
// error has been replied.
func (h *handlers) stream(c *command.Ctx, key []byte, a kv.Access) (k kv.StreamKey, ok bool) {
	if k, ok = h.db(c).Stream(key, a); !ok {
		c.Error(command.ErrWrongType)
	}
	return k, ok
}

func (h *handlers) xadd(c *command.Ctx) {
	o, at, ok := h.parseStreamOptions(c, true)
	if !ok {
		return
	}
	var id kv.StreamID
	given, auto := false, true
	if at < len(c.Args) && !(len(c.Arg(at)) == 1 && c.Arg(at)[0] == '*') {
		if id, auto, ok = parseStreamID(c.Arg(at), 0, idAuto); !ok {
			c.Error(errStreamID)
			return
		}
		given = true
	}
	if !o.check(c, h.Store.Limits().StreamEntries, true) {
		return
	}
	if n := len(c.Args) - at - 1; n < 2 || n%2 != 0 {
		c.Error("ERR wrong number of arguments for '" + c.Spec.Name + "' command")
		return
	}
	fields := c.Args[at+1:]
	if given && !auto && id.IsZero() {
		c.Error("ERR The ID specified in XADD must be greater than 0-0")
		return
	}
	k, ok := h.stream(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	if o.noMake && !k.Exists() {
		c.Null()
		return
	}
	if k.LastID() == kv.MaxStreamID {
		c.Error("ERR The stream has exhausted the last possible ID, unable to add more items")
		return
	}
	if id, ok = newStreamID(k.LastID(), id, given, auto, wallClock(c)); !ok {
		c.Error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
		return
	}
	size := 0
	for _, f := range fields {
		size += len(f)
	}
	if size > kv.EntryMost {
		c.Error("ERR Elements are too large to be stored")
		return
	}
	k.Create()
	k.Add(id, fields)
	h.notify(c, command.NotifyStream, "xadd", c.Arg(1))
	if o.trimming && k.Trim(o.trim) > 0 {
		h.notify(c, command.NotifyStream, "xtrim", c.Arg(1))
	}
	k.Commit()
	switch {
	case o.trim.Approx:
		o.effect(c, &k, at, id)
	case auto:
		var text [44]byte
		c.RewriteArg(at, id.Append(text[:0]))
	}
	replyStreamID(c, id)
}

// newStreamID is the ID of a new entry: that which was given, its number or all of
// it chosen by us if auto is set. ok is false if it isn't behind the last.
func newStreamID(last, id kv.StreamID, given, auto bool, now int64) (next kv.StreamID, ok bool) {
	switch {
	case !given && uint64(now) > last.Ms:
		return kv.StreamID{Ms: uint64(now)}, true
	case !given:
		return last.Next()
	case auto && id.Ms == last.Ms:
		next, ok = last.Next()
		return next, ok && next.Ms == id.Ms
	}
	return id, id.Compare(last) > 0
}

func (h *handlers) xlen(c *command.Ctx) {
	if k, ok := h.stream(c, c.Arg(1), reading(c)); ok {
		c.Int(int64(k.Len()))
	}
}

func (h *handlers) xrange(c *command.Ctx, back bool) {
	first, last := c.Arg(2), c.Arg(3)
	if back {
		first, last = last, first
	}
	from, ok := rangeStart(c, first)
	if !ok {
		return
	}
	to, ok := rangeEnd(c, last)
	if !ok {
		return
	}
	count, all := int64(0), true
	for i := 4; i < len(c.Args); i += 2 {
		if !c.Is(i, "count") || i+1 == len(c.Args) {
			c.Error(command.ErrSyntax)
			return
		}
		if count, ok = wholeNumber(c, c.Arg(i+1)); !ok {
			return
		}
		all, count = false, max(count, 0)
	}
	k, ok := h.stream(c, c.Arg(1), reading(c))
	switch {
	case !ok:
	case !k.Exists():
		c.Array(0)
	case count == 0 && !all:
		c.NullArray()
	default:
		replyStreamRange(c, &k, from, to, count, back)
	}
}

func (h *handlers) xdel(c *command.Ctx) {
	k, ok := h.stream(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	if !k.Exists() {
		c.Int(0)
		return
	}
	var buf [8]kv.StreamID
	ids, ok := streamIDs(c, c.Args[2:], buf[:0])
	if !ok {
		return
	}
	var deleted int64
	for _, id := range ids {
		if k.Delete(id) {
			deleted++
		}
	}
	if deleted > 0 {
		h.notify(c, command.NotifyStream, "xdel", c.Arg(1))
	}
	k.Commit()
	c.Int(deleted)
}

func (h *handlers) xtrim(c *command.Ctx) {
	o, _, ok := h.parseStreamOptions(c, false)
	if !ok || !o.check(c, h.Store.Limits().StreamEntries, false) {
		return
	}
	k, ok := h.stream(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	removed := k.Trim(o.trim)
	if removed > 0 {
		h.notify(c, command.NotifyStream, "xtrim", c.Arg(1))
		if o.trim.Approx {
			o.effect(c, &k, 0, kv.StreamID{})
		}
	}
	k.Commit()
	c.Int(removed)
}

func (h *handlers) xsetid(c *command.Ctx) {
	last, ok := streamID(c, c.Arg(2))
	if !ok {
		return
	}
	added, maxDeleted := int64(-1), kv.StreamID{}
	for i := 3; i < len(c.Args); i += 2 {
		switch {
		case c.Is(i, "entriesadded") && i+1 < len(c.Args):
			if added, ok = wholeNumber(c, c.Arg(i+1)); !ok {
				return
			}
			if added < 0 {
				c.Error("ERR entries_added must be positive")
				return
			}
		case c.Is(i, "maxdeletedid") && i+1 < len(c.Args):
			if maxDeleted, ok = streamID(c, c.Arg(i+1)); !ok {
				return
			}
			if last.Compare(maxDeleted) < 0 {
				c.Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
				return
			}
		default:
			c.Error(command.ErrSyntax)
			return
		}
	}
	k, ok := h.stream(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	newest, some := k.Newest()
	info := k.Info()
	switch {
	case !k.Exists():
		c.Error(command.ErrNoSuchKey)
	case last.Compare(info.MaxDeletedID) < 0:
		c.Error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
	case some && last.Compare(newest) < 0:
		c.Error("ERR The ID specified in XSETID is smaller than the target stream top item")
	case some && added >= 0 && int64(info.Length) > added:
		c.Error("ERR The entries_added specified in XSETID is smaller than the target stream length")
	default:
		k.SetCounters(last, added, maxDeleted)
		k.Commit()
		h.notify(c, command.NotifyStream, "xsetid", c.Arg(1))
		c.OK()
	}
}
