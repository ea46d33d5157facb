package server

import (
	"bytes"
	"time"

	"conclave/resp/command"
)

// gone stands for an error text where the connection ended while a command
// waited: nothing is replied.
const gone = "\x00"

// locate finds the keys of a call: it fills in s.query, and returns the
// partitions they lie in. keyed is false for a call without keys, also one so
// malformed that they can't be told.
func (s *Session) locate(spec *command.Spec, args [][]byte) (mask uint64, keyed bool) {
	q := &s.query
	q.CrossSlot = false
	s.subjects = s.subjects[:0]
	if i := spec.SimpleKey(); i > 0 {
		q.Slot = command.SlotOf(args[i])
		s.subjects = append(s.subjects, args[i])
		mask = command.PartitionOf(q.Slot)
	} else if spec.HasKeys() {
		var err error
		s.keys, err = spec.AppendKeys(s.keys[:0], args)
		if err != nil || len(s.keys) == 0 {
			return 0, false
		}
		for n, i := range s.keys {
			slot := command.SlotOf(args[i])
			if n == 0 {
				q.Slot = slot
			} else if slot != q.Slot {
				q.CrossSlot = true
			}
			mask |= command.PartitionOf(slot)
			s.subjects = append(s.subjects, args[i])
		}
		if touch := s.srv.toucher; touch != nil && len(s.subjects) > 1 {
			touch.Touch(s.DB(), s.subjects)
		}
	} else {
		return 0, false
	}
	q.Write = spec.Flags&command.Write != 0
	q.Channel = spec.Keys[0].Flags&command.NotKey != 0
	q.Migrate = spec.Name == "migrate"
	q.Asking = s.asking || spec.Flags&command.Asking != 0
	q.ReadOnly = s.readOnly.Load()
	q.TLS = s.peer.TLS
	return mask, true
}

// errChangingHands answers a command whose slot didn't settle in time. Clients
// repeat a command after TRYAGAIN.
const errChangingHands = "TRYAGAIN The hash slot is changing hands"

// enter locks the partitions and, for a keyed call in cluster mode, asks the
// router until the answer is final, then the gate. If the call may run it
// returns "" with the partitions locked; otherwise the error text, with
// nothing locked. gated tells that the gate refused, not the router. The right
// under which the call may run is s.granted: whoever runs it calls stamp.
func (s *Session) enter(keyed bool, mask uint64, flags command.Flags) (text string, gated bool) {
	ks, router := s.srv.cfg.Keyspace, s.srv.cfg.Router
	var until time.Time
	for {
		if text = s.lock(mask, flags); text != "" {
			return text, false
		}
		if keyed && router != nil {
			v := router.Route(&s.query)
			if v.Wait != nil {
				ks.Unlock(mask)
				if s.inline {
					s.leave = true
					return gone, false
				}
				if until.IsZero() {
					until = time.Now().Add(s.srv.cfg.ParkTimeout)
				}
				if text = s.park(v.Wait, until); text != "" {
					return text, false
				}
				continue
			}
			text = v.Err
			s.granted = v.Stamp
		}
		if text == "" && s.srv.cfg.Gate != nil {
			text = s.srv.cfg.Gate(flags)
			gated = text != ""
		}
		if text != "" && mask != 0 {
			ks.Unlock(mask)
		}
		return text, gated
	}
}

// park waits for a slot to change hands, with nothing locked. What ran before
// in the batch is answered first.
func (s *Session) park(wait <-chan struct{}, until time.Time) string {
	if !s.flush() {
		return gone
	}
	left := time.Until(until)
	if left <= 0 {
		return errChangingHands
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-wait:
	case <-t.C:
	case <-s.Context().Done():
		return gone
	}
	s.clock.set(time.Now())
	return ""
}

// stamp remembers under which right a keyed command runs, until its reply
// leaves.
func (s *Session) stamp() {
	if s.srv.cfg.Router == nil {
		return
	}
	st, n := s.granted, len(s.stamps)
	// A batch mostly stays in few slots; one that doesn't is confirmed with
	// some stamps twice.
	for i := n - 1; i >= 0 && i >= n-8; i-- {
		if s.stamps[i] == st {
			return
		}
	}
	s.stamps = append(s.stamps, st)
}

// missing counts the distinct keys of the call under way, and those that are
// absent.
func (s *Session) missing() (missing, distinct int) { return s.countMissing(s.subjects) }

func (s *Session) countMissing(subjects [][]byte) (missing, distinct int) {
	now := time.Now().UnixMilli()
	for i, k := range subjects {
		if i > 0 && seenBefore(subjects[:i], k) {
			continue
		}
		distinct++
		if !s.srv.cfg.Keyspace.Exists(s.DB(), k, now) {
			missing++
		}
	}
	return missing, distinct
}

// seenBefore looks back only a little: a client that repeats keys further
// apart is told to try again, which is always allowed.
func seenBefore(before [][]byte, k []byte) bool {
	for i := len(before) - 1; i >= 0 && i >= len(before)-64; i-- {
		if bytes.Equal(before[i], k) {
			return true
		}
	}
	return false
}

// waitPause holds a command back while CLIENT PAUSE says so. A command that
// would be redirected is told so at once. It reports whether to go on; if not,
// the request was answered or the connection ended.
func (s *Session) waitPause(flags command.Flags, keyed bool, mask uint64) bool {
	for {
		changed, left := s.srv.pause.holds(flags)
		if left <= 0 {
			return true
		}
		if keyed && s.srv.cfg.Router != nil {
			s.srv.cfg.Keyspace.Lock(mask)
			v := s.srv.cfg.Router.Route(&s.query)
			s.srv.cfg.Keyspace.Unlock(mask)
			if v.Err != "" {
				return true // enter will say it
			}
		}
		if s.inline {
			s.leave = true
			return false
		}
		if !s.flush() {
			return false
		}
		t := time.NewTimer(left)
		s.srv.pause.held.Add(1)
		select {
		case <-changed:
		case <-t.C:
		case <-s.Context().Done():
		}
		s.srv.pause.held.Add(-1)
		t.Stop()
		if s.killed.Load() {
			return false
		}
		s.clock.set(time.Now())
	}
}
