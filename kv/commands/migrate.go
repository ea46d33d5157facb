package commands

import (
	"context"
	"errors"
	"math"
	"time"

	"conclave/kv"
	"conclave/kv/migrate"
	"conclave/resp/command"
)

func (h *handlers) migrateSpecs() []command.Spec {
	const flags = command.RW | command.Access | command.Delete
	return []command.Spec{
		{Name: "migrate", Arity: -6, Flags: command.Write, ACL: command.CatKeyspace | command.CatDangerous,
			Keys: []command.KeySpec{
				{Begin: 3, Flags: flags, Find: migrateKeys},
				// For COMMAND INFO only: the first one finds all keys.
				{Begin: -2, Keyword: "KEYS", Last: -1, Flags: flags | command.Incomplete, Find: noKeys},
			},
			Group: "generic", Since: "2.6.0", Cost: "O(N) where N is the number of keys, beside the cost of DUMP, RESTORE and DEL and the transfer",
			Args: "host port (key | \"\") destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key [key ...]]",
			Tips: []string{"nondeterministic_output"},
			Doc:  "Transfers keys to another server, atomically.", Run: h.migrate},
	}
}

// migrateCall is a call of MIGRATE, taken apart.
type migrateCall struct {
	copy, replace bool
	auth          [][]byte
	secrets       []int // indexes of arguments that logs must not show
	first, keys   int   // where the keys are
}

// parseMigrate serves the handler and the search for keys alike, so that what
// is moved is what was locked.
func parseMigrate(args [][]byte) (m migrateCall, msg string) {
	m.first, m.keys = 3, 1
	for i := 6; i < len(args); i++ {
		word := func(w string) bool { return command.EqualFold(args[i], w) }
		left := len(args) - 1 - i
		n := 0 // arguments of AUTH or AUTH2
		switch {
		case word("copy"):
			m.copy = true
		case word("replace"):
			m.replace = true
		case word("auth") && left >= 1:
			n = 1
		case word("auth2") && left >= 2:
			n = 2
		case word("keys"):
			if len(args[3]) != 0 {
				return m, "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
			}
			m.first, m.keys = i+1, left
			return m, ""
		default:
			return m, command.ErrSyntax
		}
		if n > 0 {
			m.auth = args[i+1 : i+1+n]
			for range n {
				i++
				m.secrets = append(m.secrets, i)
			}
		}
	}
	return m, ""
}

func migrateKeys(dst []int, args [][]byte) ([]int, error) {
	if len(args) < 6 {
		return dst, command.ErrKeys
	}
	m, msg := parseMigrate(args)
	if msg != "" {
		return dst, command.ErrKeys
	}
	for i := range m.keys {
		dst = append(dst, m.first+i)
	}
	return dst, nil
}

func noKeys(dst []int, _ [][]byte) ([]int, error) { return dst, nil }

// migrate carries keys to another server and deletes those that arrived.
//
// The partitions of the keys stay locked while it talks to the target: a key
// can't change between its serialisation and its deletion, and a reader finds
// it either here or, redirected, there. Redis stops the whole server for that
// long. The way without the lock, sending first and deleting only what didn't
// change meanwhile, needs a version on every key, moves a busy key several
// times, and overwrites at the target without having been told REPLACE.
//
// The price is that a target that doesn't answer holds the partition for as
// long as the call's timeout allows one step to take. That also bounds the two
// cases that wait for themselves: a server told to migrate to itself, and two
// that migrate keys of one partition to each other at the same time. Both end
// with IOERR and the keys where they were.
func (h *handlers) migrate(c *command.Ctx) {
	m, msg := parseMigrate(c.Args)
	if s, ok := c.Session.(interface{ Redact(arg int) }); ok {
		for _, i := range m.secrets {
			s.Redact(i)
		}
	}
	if msg != "" {
		c.Error(msg)
		return
	}
	timeout, ok := kv.ParseInt(c.Arg(5))
	db, ok2 := kv.ParseInt(c.Arg(4))
	if !ok || !ok2 {
		c.Error(command.ErrNotInteger)
		return
	}
	if timeout <= 0 {
		timeout = 1000
	}
	body, sent := h.migrateBody(c, m)
	if len(sent) == 0 {
		c.Simple("NOKEY")
		return
	}
	source := h.db(c)
	gone := [][]byte{wordDel}
	err := h.Migrate.Send(context.Background(), migrate.Request{
		Host:    string(c.Arg(1)),
		Port:    leadingNumber(c.Arg(2)),
		DB:      db,
		Auth:    m.auth,
		Timeout: time.Duration(min(timeout, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond,
		Body:    body,
		Keys:    len(sent),
	}, func(i int) {
		if !m.copy && source.Delete(sent[i]) {
			gone = append(gone, sent[i])
			h.notify(c, command.NotifyGeneric, "del", sent[i])
		}
	})
	c.NoEffect()
	if len(gone) > 1 {
		c.Rewrite(gone...)
	}
	var refused migrate.TargetError
	switch {
	case err == nil:
		c.OK()
	case errors.As(err, &refused):
		c.Error("ERR " + refused.Error())
	default:
		c.Error("IOERR " + err.Error())
	}
}

// migrateBody serialises the keys that are here. It returns the commands for
// the target and the keys they create, in order.
func (h *handlers) migrateBody(c *command.Ctx, m migrateCall) (body []byte, keys [][]byte) {
	source := h.db(c)
	var payload []byte
	for _, key := range c.Args[m.first : m.first+m.keys] {
		e, ok := source.Lookup(key, reading(c))
		if !ok {
			continue
		}
		ttl := int64(0)
		if at := e.Expiry(); at != kv.NoExpiry {
			ttl = max(at-c.NowMs, 1)
		}
		payload = appendPayload(payload[:0], e, h.Store.Limits())
		body = migrate.AppendRestore(body, key, payload, ttl, m.replace, h.Cluster)
		keys = append(keys, key)
	}
	return body, keys
}

// leadingNumber reads a port as Redis does, with atoi: what isn't a number is 0.
func leadingNumber(b []byte) int {
	n := 0
	for _, d := range b {
		if d < '0' || d > '9' || n > math.MaxInt32 {
			break
		}
		n = 10*n + int(d-'0')
	}
	return n
}
