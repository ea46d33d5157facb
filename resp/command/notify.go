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

	NotifyKeyspace // K: events are told by channels named after the key
	NotifyKeyevent // E: events are told by channels named after the event
)

// NotifyAll is what A stands for.
const NotifyAll = NotifyGeneric | NotifyString | NotifyList | NotifySet | NotifyHash | NotifyZSet | NotifyStream |
	NotifyExpired | NotifyEvicted | NotifyModule

func classOf(letter byte) (Class, bool) {
	switch letter {
	case 'A':
		return NotifyAll, true
	case 'g':
		return NotifyGeneric, true
	case '$':
		return NotifyString, true
	case 'l':
		return NotifyList, true
	case 's':
		return NotifySet, true
	case 'h':
		return NotifyHash, true
	case 'z':
		return NotifyZSet, true
	case 't':
		return NotifyStream, true
	case 'x':
		return NotifyExpired, true
	case 'e':
		return NotifyEvicted, true
	case 'm':
		return NotifyMiss, true
	case 'n':
		return NotifyNew, true
	case 'd':
		return NotifyModule, true
	case 'K':
		return NotifyKeyspace, true
	case 'E':
		return NotifyKeyevent, true
	}
	return 0, false
}

// ParseClasses reads the letters of notify-keyspace-events; ok is false if there
// is one that means nothing.
func ParseClasses(s string) (c Class, ok bool) {
	for i := range len(s) {
		one, ok := classOf(s[i])
		if !ok {
			return 0, false
		}
		c |= one
	}
	return c, true
}

// Notifier is told of keyspace events. The key's partition is locked; the
// arguments are good until it returns.
type Notifier interface {
	// Wants reports whether anybody listens to events of a class.
	Wants(Class) bool
	Notify(db int, class Class, event string, key []byte)
}
