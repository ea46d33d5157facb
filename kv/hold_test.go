package kv_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"conclave/kv"
	"conclave/resp/command"
)

// TestHold: partitions that a call holds without their locks stay its own, those
// who can do something else learn of it, and the others wait.
func TestHold(t *testing.T) {
	s := kv.New(kv.Config{Databases: 1})
	const mine = 0b1010
	synctest.Test(t, func(t *testing.T) {
		s.Lock(mine)
		s.Hold(mine)
		if held := s.LockFree(0b0101); held != nil {
			t.Fatal("free partitions are said to be held")
		}
		s.Unlock(0b0101)
		held := s.LockFree(command.AllPartitions)
		if held == nil {
			t.Fatal("held partitions could be locked")
		}
		if s.TryLock(0b0011) {
			t.Fatal("held partitions could be locked at once")
		}
		if !s.TryLock(0b0001) {
			t.Fatal("a partition stayed locked after a refusal")
		}
		s.Unlock(0b0001)
		var got atomic.Bool
		go func() {
			s.Lock(mine)
			got.Store(true)
			s.Unlock(mine)
		}()
		synctest.Wait()
		if got.Load() {
			t.Fatal("held partitions could be locked by waiting")
		}
		s.Unlock(mine)
		<-held
		synctest.Wait()
		if !got.Load() {
			t.Fatal("the end of the hold woke nobody")
		}
	})
	if s.LockFree(command.AllPartitions) != nil {
		t.Fatal("still held")
	}
	s.Unlock(command.AllPartitions)
}
