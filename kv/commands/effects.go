package commands

import (
	"strconv"

	"conclave/kv"
	"conclave/resp/command"
)

// What a call did, where it depends on the clock or on what was there, as a call
// that doesn't: see [command.Ctx.Rewrite].

var (
	wordSet       = []byte("SET")
	wordDel       = []byte("DEL")
	wordPexpireat = []byte("PEXPIREAT")
	wordPxat      = []byte("PXAT")
	wordKeepTTL   = []byte("KEEPTTL")
)

// keepSet says that the key was given a value and a time at which it expires.
func keepSet(c *command.Ctx, key, val []byte, expiry int64) {
	if c.Kept() {
		c.Rewrite(wordSet, key, val, wordPxat, strconv.AppendInt(nil, expiry, 10))
	}
}

// keepExpiry says that the key was given a time at which it expires, or none.
func keepExpiry(c *command.Ctx, key []byte, expiry int64) {
	switch {
	case !c.Kept():
	case expiry == kv.NoExpiry:
		c.Rewrite([]byte("PERSIST"), key)
	default:
		c.RewriteInt(wordPexpireat, key, expiry)
	}
}

// keepDelete says that the key was removed.
func keepDelete(c *command.Ctx, key []byte) {
	if c.Kept() {
		c.Rewrite(wordDel, key)
	}
}
