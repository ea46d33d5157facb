package commands

import (
	"strings"
	"testing"
	"time"

	"conclave/resp/server"
)

func TestHuman(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1.00K", 1264048: "1.21M", 25276063744: "23.54G", 1 << 50: "1.00P"} {
		if got := human(n); got != want {
			t.Errorf("human(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestInfoValueStaysOnItsLine(t *testing.T) {
	var f fields
	f.str("config_file", "a\r\nrole:slave")
	if got := string(f.b); got != "config_file:a  role:slave\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestDrawLatency(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	sample := func(ago, latency time.Duration) server.LatencySample {
		return server.LatencySample{At: now.Add(-ago), Latency: latency}
	}
	got := drawLatency(server.LatencyEvent{Name: "command", Max: 90 * time.Millisecond, Samples: []server.LatencySample{
		sample(2*time.Hour, 10*time.Millisecond), sample(90*time.Second, 45*time.Millisecond), sample(5*time.Second, 80*time.Millisecond),
	}}, now)
	want := strings.Join([]string{
		"command - high 80 ms, low 10 ms (all time high 90 ms)",
		strings.Repeat("-", 80),
		"  #",
		"  #",
		" ##",
		"_##",
		"",
		"215",
		"hms",
		"",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// All samples alike must not divide by zero.
	drawLatency(server.LatencyEvent{Name: "command", Samples: []server.LatencySample{sample(0, 0)}}, now)
}

func TestAutomaton(t *testing.T) {
	// Rule 90 draws the Sierpinski triangle.
	rows := strings.Split(automaton(90), "\n")
	for i, want := range []string{"#", "# #", "#   #", "# # # #", "#       #"} {
		if got := strings.TrimSpace(rows[i]); got != want {
			t.Errorf("row %d of rule 90 is %q, want %q", i, got, want)
		}
	}
}
