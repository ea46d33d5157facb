package server_test

import (
	"testing"
	"time"

	"conclave/resp/server"
)

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h server.Histogram
	if h.Count() != 0 || h.Percentile(50) != 0 || h.Cumulative() != nil {
		t.Error("the zero value isn't empty")
	}
	for i := 1; i <= 1000; i++ {
		h.Record(time.Duration(i) * time.Microsecond)
	}
	h.Record(-5)
	h.Record(time.Hour)
	if h.Count() != 1002 {
		t.Errorf("%d values", h.Count())
	}
	for p, want := range map[float64]time.Duration{50: 500 * time.Microsecond, 99: 990 * time.Microsecond, 0.001: 1} {
		if got := h.Percentile(p); got < want || float64(got) > float64(want)*1.07 {
			t.Errorf("p%v is %v, want about %v", p, got, want)
		}
	}
	last := int64(0)
	for _, b := range h.Cumulative() {
		if b.Count <= last || b.UpTo < time.Microsecond {
			t.Errorf("bucket %+v after %d", b, last)
		}
		last = b.Count
	}
	if last != 1002 {
		t.Errorf("the last bucket holds %d", last)
	}
	h.Reset()
	if h.Count() != 0 {
		t.Error("not reset")
	}
}
