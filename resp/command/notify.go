package command

// Class is a class of keyspace events: a letter of notify-keyspace-events.
type Class uint32

// The classes, with their letters.
const (
	NotifyGeneric Class = 1 << iota // g: DEL, EXPIRE, RENAME, ...
	NotifyString                    // $
	NotifyList                      // l
	NotifySet                       // s
	NotifyHash                      // h
	NotifyZSet                      // z
	NotifyStream                    // t
	NotifyExpired                   // x
	NotifyEvicted                   // e
	NotifyMiss                      // m: not part of A
	NotifyNew                       // n: not part of A
	NotifyModule                    // d
)

// Notifier is told of keyspace events. The key's partition is locked; the
// arguments are good until it returns.
type Notifier interface {
	// Wants reports whether anybody listens to events of a class.
	Wants(Class) bool
	Notify(db int, class Class, event string, key []byte)
}
