package slot_test

import (
	"testing"

	"conclave/fsm/slot"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int{
		"":               0,
		"foo":            12182,
		"{user}:1":       5474,
		"user":           5474,
		"123456789":      0x31C3,
		"a{user}b{x}":    5474,
		"foo{}{user}":    slot.Of([]byte("foo{}{user}")),
		"foo{{user}}bar": slot.Of([]byte("{user")),
	} {
		if got := slot.Of([]byte(key)); got != want {
			t.Errorf("Of(%q) = %d, want %d", key, got, want)
		}
	}
}
