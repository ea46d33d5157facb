package command

// Wait is what a call waits for that can't be answered yet (BLPOP, XREAD BLOCK).
type Wait struct {
	// Keys whose change may end the wait, by their index in Ctx.Args.
	Keys []int
	// Until is the Unix time in milliseconds at which it ends anyway; 0 = never.
	Until int64
	// Retry is called after a change of one of the keys, for those who wait for a
	// key in the order in which they came. The partitions of all keys of the call
	// are locked. It writes the reply and returns true, or writes nothing. Its
	// Args are a copy of the call's: it must not refer to those that the handler
	// saw.
	Retry func(c *Ctx, key []byte) bool
	// Removal says that the removal of a key may end the wait as well
	// (XREADGROUP). Otherwise Retry isn't called while the key is absent.
	Removal bool
	// TimedOut writes the reply if the wait ends by itself; nil means a null
	// array.
	TimedOut func(c *Ctx)
}

// Block makes the session wait instead of replying. The handler has found out
// that it can't answer now, has written nothing and returns at once. It must not
// be called where InExec is set: there a call that would wait replies as if its
// time were up.
func (c *Ctx) Block(w Wait) { c.wait = &w }

// TakeWait is what Block said, or nil; whoever ran the call asks once.
func (c *Ctx) TakeWait() *Wait {
	w := c.wait
	c.wait = nil
	return w
}
