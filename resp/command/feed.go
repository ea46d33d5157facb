package command

import "strconv"

// Feed takes what changes the data, for those who keep the data a second time:
// an append-only file, replicas. It is safe for concurrent use.
type Feed interface {
	// Wanted reports whether anybody keeps the data. It changes only while every
	// partition is locked; asked for every call that may write, it must be cheap.
	Wanted() bool
	// Feed takes a unit. The partitions of what the unit changed are locked, since
	// before it was changed: the order of units is that of the changes. It doesn't
	// wait for anything slow. The unit is the caller's again afterwards.
	Feed(u *Unit)

	// Hold returns what replies that are ready now have to wait for before they
	// may leave: a position to be passed to Released or Wait, or 0 for nothing.
	Hold() int64
	// Released reports whether replies that wait for the position may leave.
	Released(position int64) bool
	// Wait waits until it is released, or until done. It reports whether the
	// replies may leave.
	Wait(position int64, done <-chan struct{}) bool
	// OnRelease has f called whenever a position was released. f must not block.
	OnRelease(f func())
}

// ChangeCounter is what a [Keyspace] may also be: Changes counts the changes of
// keys in the partitions, which are locked. Only the difference of two counts
// means anything. Without it a call counts as a change unless it says otherwise.
type ChangeCounter interface {
	Changes(mask uint64) int64
}

// Unit is calls that are to be run together and in order where the data are
// kept again. The zero value is an empty one; it is reused after Reset.
type Unit struct {
	// NowMs is when they ran, in Unix milliseconds.
	NowMs int64
	text  []byte // the calls as clients send them, RESP arrays
	calls []unitCall
}

type unitCall struct{ db, end int }

// Reset empties the unit.
func (u *Unit) Reset() {
	const keep = 64 << 10
	if cap(u.text) > keep {
		u.text = nil
	}
	if cap(u.calls) > keep/16 {
		u.calls = nil
	}
	u.text, u.calls = u.text[:0], u.calls[:0]
}

// Len is the number of calls.
func (u *Unit) Len() int { return len(u.calls) }

// Size is at least what Append appends, in bytes.
func (u *Unit) Size() int { return len(u.text) + (len(u.calls)+2)*40 }

// Add adds a call on a database. The arguments are copied.
func (u *Unit) Add(db int, args ...[]byte) {
	u.text = AppendCall(u.text, args...)
	u.calls = append(u.calls, unitCall{db, len(u.text)})
}

// Append appends the unit to a stream of RESP in which *db is selected, which it
// changes; -1 is none. Several calls stand between MULTI and EXEC.
func (u *Unit) Append(b []byte, db *int) []byte {
	if len(u.calls) == 0 {
		return b
	}
	b = AppendSelect(b, db, u.calls[0].db)
	if len(u.calls) == 1 {
		return append(b, u.text...)
	}
	b = append(b, "*1\r\n$5\r\nMULTI\r\n"...)
	from := 0
	for _, c := range u.calls {
		b = AppendSelect(b, db, c.db)
		b = append(b, u.text[from:c.end]...)
		from = c.end
	}
	return append(b, "*1\r\n$4\r\nEXEC\r\n"...)
}

// AppendSelect selects a database in a stream of RESP in which *selected is
// selected, if it is another.
func AppendSelect(b []byte, selected *int, db int) []byte {
	if *selected == db {
		return b
	}
	*selected = db
	var digits [20]byte
	return AppendCall(b, []byte("SELECT"), strconv.AppendInt(digits[:0], int64(db), 10))
}

// AppendCall appends a call as clients send it: an array of bulk strings.
func AppendCall(b []byte, args ...[]byte) []byte {
	b = strconv.AppendInt(append(b, '*'), int64(len(args)), 10)
	b = append(b, '\r', '\n')
	for _, a := range args {
		b = strconv.AppendInt(append(b, '$'), int64(len(a)), 10)
		b = append(b, '\r', '\n')
		b = append(b, a...)
		b = append(b, '\r', '\n')
	}
	return b
}
