package server

import (
	"strconv"

	"conclave/resp/command"
)

// SetKeyEvents says which keyspace events are told to subscribers
// (notify-keyspace-events).
func (s *Server) SetKeyEvents(c command.Class) { s.events.Store(uint32(c)) }

// Wants implements [command.Notifier].
func (s *Server) Wants(class command.Class) bool {
	on := command.Class(s.events.Load())
	return on&class != 0 && on&(command.NotifyKeyspace|command.NotifyKeyevent) != 0 && s.hub.listening.Load() != 0
}

// Notify implements [command.Notifier]: it publishes the event to the
// subscribers of this node.
func (s *Server) Notify(db int, class command.Class, event string, key []byte) {
	if !s.Wants(class) {
		return
	}
	on := command.Class(s.events.Load())
	channel := make([]byte, 0, 64)
	if on&command.NotifyKeyspace != 0 {
		channel = append(channel, "__keyspace@"...)
		channel = strconv.AppendInt(channel, int64(db), 10)
		channel = append(append(channel, "__:"...), key...)
		s.Publish(channel, []byte(event))
	}
	if on&command.NotifyKeyevent != 0 {
		channel = append(channel[:0], "__keyevent@"...)
		channel = strconv.AppendInt(channel, int64(db), 10)
		channel = append(append(channel, "__:"...), event...)
		s.Publish(channel, key)
	}
}
