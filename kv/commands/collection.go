package commands

import (
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

// bulkValue replies an element of a collection.
func bulkValue(c *command.Ctx, v packed.Value) {
	if v.Bytes != nil {
		c.Bulk(v.Bytes)
	} else {
		c.BulkInt(v.Int)
	}
}

// notify tells of a keyspace event.
func (h *handlers) notify(c *command.Ctx, class command.Class, event string, key []byte) {
	h.notifyIn(c.Session.DB(), class, event, key)
}

// notifyIn is notify for a key of a certain database.
func (h *handlers) notifyIn(db int, class command.Class, event string, key []byte) {
	if h.Notifier != nil && h.Notifier.Wants(class) {
		h.Notifier.Notify(db, class, event, key)
	}
}
