package commands

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

func (r *room) latencySpecs() []command.Spec {
	const special = "response_policy:special"
	sub := func(name string, arity int, since, args, doc string, policy string, run command.Handler) command.Spec {
		s := command.Spec{Name: name, Arity: arity, Flags: adminFlags, Group: "server", Since: since, Cost: "O(1)", Doc: doc, Args: args, Run: run,
			Tips: []string{"nondeterministic_output", "request_policy:all_nodes", policy}}
		if policy != special {
			s.Tips = s.Tips[1:]
		}
		return s
	}
	return []command.Spec{{
		Name: "latency", Arity: -2, Group: "server", Since: "2.8.13", Cost: "Depends on subcommand.", Doc: "A container for commands about latency.",
		Sub: []command.Spec{
			sub("latest", 2, "2.8.13", "", "The latest latency of every event.", special, r.latencyLatest),
			sub("history", 3, "2.8.13", "event", "The latencies of an event.", special, r.latencyHistory),
			sub("reset", -2, "2.8.13", "[event [event ...]]", "Forgets the latencies of events.", "response_policy:all_succeeded", r.latencyReset),
			sub("graph", 3, "2.8.13", "event", "The latencies of an event, drawn.", special, r.latencyGraph),
			sub("doctor", 2, "2.8.13", "", "A report about latencies for people.", special, r.latencyDoctor),
			sub("histogram", -2, "7.0.0", "[command [command ...]]", "The distribution of commands' latencies.", special, r.latencyHistogram),
			helpSpec("2.8.13", 0, latencyHelp),
		},
	}}
}

func latencyHelp(c *command.Ctx) {
	help(c, "LATENCY",
		"DOCTOR", "    Return a report about latencies for people.",
		"GRAPH <event>", "    Return a drawing of the latencies of <event>.",
		"HISTORY <event>", "    Return the latencies of <event> with their times.",
		"LATEST", "    Return the latest latency of every event.",
		"RESET [<event> ...]", "    Forget the latencies of the events (default: all). Return how many there were.",
		"HISTOGRAM [COMMAND ...]", "    Return the cumulative distribution of latencies of the commands (default: all).")
}

func (r *room) latencyLatest(c *command.Ctx) {
	events := r.Server.Latency().Events()
	c.Array(len(events))
	for _, e := range events {
		last := e.Samples[len(e.Samples)-1]
		c.Array(4)
		c.BulkString(e.Name)
		c.Int(last.At.Unix())
		c.Int(last.Latency.Milliseconds())
		c.Int(e.Max.Milliseconds())
	}
}

func (r *room) latencyHistory(c *command.Ctx) {
	e := r.Server.Latency().Event(string(c.Arg(2)))
	c.Array(len(e.Samples))
	for _, s := range e.Samples {
		c.Array(2)
		c.Int(s.At.Unix())
		c.Int(s.Latency.Milliseconds())
	}
}

func (r *room) latencyReset(c *command.Ctx) {
	var names []string
	for _, a := range c.Args[2:] {
		names = append(names, string(a))
	}
	c.Int(int64(r.Server.Latency().Reset(names...)))
}

func (r *room) latencyGraph(c *command.Ctx) {
	e := r.Server.Latency().Event(string(c.Arg(2)))
	if len(e.Samples) == 0 {
		c.Error("ERR No samples available for event '" + clip(c.Arg(2)) + "'")
		return
	}
	c.Verbatim("txt", drawLatency(e, time.Now()))
}

// drawLatency draws one column per sample, its age written downwards below it.
func drawLatency(e server.LatencyEvent, now time.Time) string {
	const rows = 4
	low, high := e.Samples[0].Latency.Milliseconds(), e.Samples[0].Latency.Milliseconds()
	for _, s := range e.Samples {
		ms := s.Latency.Milliseconds()
		low, high = min(low, ms), max(high, ms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", e.Name, high, low, e.Max.Milliseconds())
	b.WriteString(strings.Repeat("-", 80))
	b.WriteByte('\n')
	span := max(high-low, 1)
	for row := rows - 1; row >= 0; row-- {
		for _, s := range e.Samples {
			// The height of a column in half rows; the lowest is one of them.
			halves := 1 + (s.Latency.Milliseconds()-low)*(2*rows-1)/span
			switch {
			case halves >= int64(2*row+2):
				b.WriteByte('#')
			case halves == int64(2*row+1):
				b.WriteByte('_')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	ages := make([]string, len(e.Samples))
	height := 0
	for i, s := range e.Samples {
		ages[i] = age(now.Sub(s.At))
		height = max(height, len(ages[i]))
	}
	for row := range height {
		for _, a := range ages {
			if row < len(a) {
				b.WriteByte(a[row])
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	seconds := int64(d / time.Second)
	switch {
	case seconds < 60:
		return strconv.FormatInt(seconds, 10) + "s"
	case seconds < 3600:
		return strconv.FormatInt(seconds/60, 10) + "m"
	case seconds < 86400:
		return strconv.FormatInt(seconds/3600, 10) + "h"
	}
	return strconv.FormatInt(seconds/86400, 10) + "d"
}

func (r *room) latencyDoctor(c *command.Ctx) {
	if r.directive("latency-monitor-threshold", "0") == "0" {
		c.Verbatim("txt", "Latency monitoring is disabled. Use \"CONFIG SET latency-monitor-threshold <milliseconds>\" to enable it.\n")
		return
	}
	events := r.Server.Latency().Events()
	if len(events) == 0 {
		c.Verbatim("txt", "No latency spike was observed.\n")
		return
	}
	var b strings.Builder
	b.WriteString("Latency spikes were observed:\n\n")
	for i, e := range events {
		var sum time.Duration
		for _, s := range e.Samples {
			sum += s.Latency
		}
		fmt.Fprintf(&b, "%d. %s: %d latency spikes, average %d ms, worst all time event %d ms.\n", i+1, e.Name, len(e.Samples), (sum / time.Duration(len(e.Samples))).Milliseconds(), e.Max.Milliseconds())
	}
	b.WriteString("\nSLOWLOG GET names the slow commands; commands over many keys and large values are the usual cause.\n")
	c.Verbatim("txt", b.String())
}

func (r *room) latencyHistogram(c *command.Ctx) {
	wanted := make(map[*command.Spec]bool)
	for _, name := range c.Args[2:] {
		s := c.Table().Full(string(name))
		if s == nil {
			continue
		}
		wanted[s] = true
		for i := range s.Sub {
			wanted[&s.Sub[i]] = true
		}
	}
	var found []server.CommandStat
	for _, st := range r.Server.Stats().CommandStats() {
		if (len(c.Args) == 2 || wanted[st.Spec]) && st.Latency.Count() > 0 {
			found = append(found, st)
		}
	}
	c.Map(len(found))
	for _, st := range found {
		buckets := st.Latency.Cumulative()
		calls := int64(0)
		if len(buckets) > 0 {
			calls = buckets[len(buckets)-1].Count
		}
		c.BulkString(st.Spec.FullName())
		c.Map(2)
		c.BulkString("calls")
		c.Int(calls)
		c.BulkString("histogram_usec")
		c.Map(len(buckets))
		for _, b := range buckets {
			c.Int(b.UpTo.Microseconds())
			c.Int(b.Count)
		}
	}
}
