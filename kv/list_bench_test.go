package kv_test

import (
	"strconv"
	"testing"

	"conclave/kv"
)

func BenchmarkList(b *testing.B) {
	key, val := []byte("list"), []byte("VXK")
	with := func(n int, f func(d kv.DB, l *kv.ListKey)) func(*testing.B) {
		return func(b *testing.B) {
			s := kv.New(kv.Config{})
			d := s.DB(0, 1)
			s.Lock(kv.MaskOf(key))
			defer s.Unlock(kv.MaskOf(key))
			l, _ := d.List(key, kv.ForWrite)
			for range n {
				l.Reserve(val)
				l.Push(false, val)
			}
			l.Commit()
			b.ReportAllocs()
			for b.Loop() {
				l, _ := d.List(key, kv.ForWrite)
				f(d, &l)
				l.Commit()
			}
		}
	}
	push := func(front bool) func(kv.DB, *kv.ListKey) {
		return func(_ kv.DB, l *kv.ListKey) {
			l.Reserve(val)
			l.Push(front, val)
		}
	}
	b.Run("push front", with(1, push(true)))
	b.Run("push back", with(1, push(false)))
	for _, n := range []int{10, 100, 10000} {
		b.Run("rotate/"+strconv.Itoa(n), with(n, func(_ kv.DB, l *kv.ListKey) {
			l.Delete(0, 1)
			l.Reserve(val)
			l.Push(false, val)
		}))
		b.Run("rotate back/"+strconv.Itoa(n), with(n, func(_ kv.DB, l *kv.ListKey) {
			l.Delete(l.Len()-1, 1)
			l.Reserve(val)
			l.Push(true, val)
		}))
	}
}
