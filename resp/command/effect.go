package command

import "strconv"

// Effect of a call: what has to be run where the data are kept again, in an
// append-only file or on a replica, so that they end up the same. It is the call
// itself if it has changed anything, unless the handler says otherwise, because
// the call depends on chance, on the clock, or on what blocks: SPOP is kept as
// SREM, EXPIRE as PEXPIREAT, BLPOP as LPOP.

// Rewrite says that the effect of the call is another call. What several calls of
// Rewrite say belongs together, in that order. The arguments must stay what they
// are until the handler has returned, and may lie in c.Args but not in the store.
func (c *Ctx) Rewrite(args ...[]byte) {
	if c.unkept {
		return
	}
	c.rewritten = true
	c.effects = append(c.effects, args)
}

// RewriteStrings is Rewrite of words.
func (c *Ctx) RewriteStrings(args ...string) {
	if c.unkept {
		return
	}
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	c.Rewrite(b...)
}

// RewriteArg says that the effect of the call is the call with another argument in
// the i-th place: a stream's new ID. Both are copied.
func (c *Ctx) RewriteArg(i int, arg []byte) {
	if c.unkept {
		return
	}
	c.edited = append(c.edited[:0], c.Args...)
	c.editedText = append(c.editedText[:0], arg...)
	c.edited[i] = c.editedText
	c.Rewrite(c.edited...)
}

// RewriteInt says that the effect of the call is a word, a key and a number: once
// per call. The number is the context's.
func (c *Ctx) RewriteInt(word, key []byte, n int64) {
	if c.unkept {
		return
	}
	c.editedText = strconv.AppendInt(c.editedText[:0], n, 10)
	c.edited = append(c.edited[:0], word, key, c.editedText)
	c.Rewrite(c.edited...)
}

// NoEffect says that the call changed nothing that has to be kept.
func (c *Ctx) NoEffect() { c.rewritten = true }

// Keep says whether the effects are wanted; they are in a new context. Where they
// are not, Rewrite does nothing.
func (c *Ctx) Keep(on bool) {
	c.unkept = !on
	c.effects, c.rewritten = c.effects[:0], false
}

// Kept reports whether the effects are wanted: without that a handler can spare
// itself the work of making them.
func (c *Ctx) Kept() bool { return !c.unkept }

// TakeEffects returns what Rewrite said, and whether it, or NoEffect, said
// anything; whoever ran the call asks once, before it runs another.
func (c *Ctx) TakeEffects() (effects [][][]byte, rewritten bool) {
	effects, rewritten = c.effects, c.rewritten
	c.effects, c.rewritten = c.effects[:0], false
	return effects, rewritten
}
