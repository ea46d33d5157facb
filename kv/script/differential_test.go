package script_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"conclave/kv/script"
	"conclave/resp/server"
)

// knownDifferences are scripts whose replies differ from redis-server 7.0.15's,
// with the reason.
var knownDifferences = map[string]string{
	"local t={} return t.x.y":                                      "the interpreter doesn't know the name of what was indexed",
	"local t return t.x":                                           "likewise",
	"local t return t.x()":                                         "likewise",
	"return ('x'):bad()":                                           "it takes a method for a field",
	"return loadstring('x=1')()":                                   "it keeps the displayed name of a chunk only",
	`return loadstring('error("x")')()`:                            "likewise",
	`return loadstring('error("x")','=name')()`:                    "likewise",
	"return redis.call('blpop','nolist',0)":                        "7.2: calls that could block are allowed, and don't",
	"local function":                                               "the parser's words",
	"for i=1 do end":                                               "the parser's words",
	"local c=coroutine.wrap(function() error('x') end) return c()": "the position is said once",
	"return string.dump(function() end)":                           "there is no bytecode",
	"local t={1,2,3} table.insert(t,10,4) return {#t,t[10]}":       "another border of a table with holes",
	"return cjson.encode_max_depth(0)":                             "the depth is bounded",
	"return {pcall(string.rep)}":                                   "the function's name is known",
	"redis.call('set','k',-0.0) return redis.call('get','k')":      "7.2: whole numbers are passed as integers",
	"return redis.call('client')":                                  "not in this server",
	"return redis.call('config','get','maxmemory')":                "not in this server",
	"return redis.call('subscribe','x')":                           "not in this server",
	"return redis.call('time')[1]~=nil":                            "not in this server",
}

func TestScriptsAsInRedis(t *testing.T) {
	redis := startRedis(t, "scripts against it")
	if redis == "" {
		return
	}
	text, err := os.ReadFile("testdata/scripts.txt")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := dial(t, startNode(t, script.Config{}, server.Config{}, nil).addr), dial(t, redis)
	for source := range strings.SplitSeq(string(text), "\n----\n") {
		source = strings.Trim(source, "\n")
		got, want := ours.do("eval", source, "1", "k", "1", "2"), theirs.do("eval", source, "1", "k", "1", "2")
		reason, known := knownDifferences[source]
		if settled(got) != settled(want) && !known {
			t.Errorf("%s\n got %s\nwant %s", source, got, want)
		}
		if settled(got) == settled(want) && reason != "" {
			t.Errorf("%s: no difference any more (%s)", source, reason)
		}
	}
}

func TestCommandsAsInRedis(t *testing.T) {
	redis := startRedis(t, "commands of scripting against it")
	if redis == "" {
		return
	}
	text, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := dial(t, startNode(t, script.Config{}, server.Config{}, nil).addr), dial(t, redis)
	for line := range strings.Lines(string(text)) {
		args := unquote(t, strings.TrimSpace(line))
		got, want := ours.do(args...), theirs.do(args...)
		if args[0] != "hello" && settled(got) != settled(want) {
			t.Errorf("%q\n got %s\nwant %s", args, got, want)
		}
	}
}

// unquote splits a line of Go's string literals.
func unquote(t *testing.T, line string) (words []string) {
	t.Helper()
	for line != "" {
		q, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		w, _ := strconv.Unquote(q)
		words = append(words, w)
		line = strings.TrimSpace(line[len(q):])
	}
	return words
}
