package server_test

import (
	"testing"

	"conclave/resp/command"
	"conclave/resp/server"
)

const aborted = "-EXECABORT Transaction discarded because of previous errors.·"

func TestTransactions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"run in order", "multi\nset a 1\nincr a\nget a\nexec", "+OK·+QUEUED·+QUEUED·+QUEUED·*3·+OK·:2·$1·2·"},
		{"empty", "multi\nexec", "+OK·*0·"},
		{"error inside", "multi\nset a x\nincr a\nget a\nexec", "+OK·+QUEUED·+QUEUED·+QUEUED·*3·+OK·-ERR value is not an integer or out of range·$1·x·"},
		{"unknown command", "multi\nfoo\nset a 1\nexec\nget a", "+OK·-ERR unknown command 'foo', with args beginning with: ·+QUEUED·" + aborted + "$-1·"},
		{"wrong arity", "multi\nget\nexec", "+OK·-ERR wrong number of arguments for 'get' command·" + aborted},
		{"forbidden command", "multi\nsyncish\nexec", "+OK·-ERR Command not allowed inside a transaction·" + aborted},
		{"nested", "multi\nmulti\nexec", "+OK·-ERR MULTI calls can not be nested·*0·"},
		{"watch inside", "multi\nwatch a\nexec", "+OK·-ERR WATCH inside MULTI is not allowed·*0·"},
		{"without multi", "exec\ndiscard", "-ERR EXEC without MULTI·-ERR DISCARD without MULTI·"},
		{"exec with arguments", "multi\nexec a\nexec", "+OK·-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command·-ERR EXEC without MULTI·"},
		{"discard", "multi\nset a 1\ndiscard\nget a\nexec", "+OK·+QUEUED·+OK·$-1·-ERR EXEC without MULTI·"},
		{"unwatch is queued", "multi\nunwatch\nexec", "+OK·+QUEUED·*1·+OK·"},
		{"reset", "multi\nset a 1\nreset\nget a", "+OK·+QUEUED·+RESET·$-1·"},
		{"whole store", "multi\nset a 1\ndbsize\nset b 1\ndbsize\nexec", "+OK·+QUEUED·+QUEUED·+QUEUED·+QUEUED·*4·+OK·:1·+OK·:2·"},
		{"detached has no lock", "multi\nset a 1\ndetached\nget a\nexec", "+OK·+QUEUED·+QUEUED·+QUEUED·*3·+OK·+OK·$1·1·"},
		{"batches", "multi\nadmin x\nadmin y\nget a\nadmin z\nexec\nadmin w", "+OK·+QUEUED·+QUEUED·+QUEUED·+QUEUED·*4·+x of 2·+y of 2·$-1·+z of 1·+alone·"},
		{"watch, own change", "watch a\nset a 1\nmulti\nget a\nexec", "+OK·+OK·+OK·+QUEUED·*-1·"},
		{"watch, no change", "set a 1\nwatch a b\nget a\nmulti\nget a\nexec", "+OK·+OK·$1·1·+OK·+QUEUED·*1·$1·1·"},
		{"unwatch", "watch a\nset a 1\nunwatch\nmulti\nget a\nexec", "+OK·+OK·+OK·+OK·+QUEUED·*1·$1·1·"},
		{"exec forgets watches", "watch a\nmulti\nexec\nset a 1\nmulti\nexec", "+OK·+OK·*0·+OK·+OK·*0·"},
		{"discard forgets watches", "watch a\nmulti\ndiscard\nset a 1\nmulti\nexec", "+OK·+OK·+OK·+OK·+OK·*0·"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil).connect()
			c.expect(tt.in, tt.want)
			if c.InMulti() != false || c.QueueLen() != -1 {
				t.Error("still in MULTI")
			}
		})
	}
}

func TestWatchSeesOthers(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	a, b := f.connect(), f.connect()
	a.expect("watch k", "+OK·")
	b.expect("set k 1", "+OK·")
	a.expect("multi\nset k 2\nexec", "+OK·+QUEUED·*-1·")
	b.expect("get k", "$1·1·")
	if a.Watching() != 0 {
		t.Error("watches are left")
	}
}

func TestQueuedArgumentsAreCopied(t *testing.T) {
	t.Parallel()
	c := start(t, nil).connect()
	c.send("multi")
	c.send("set key value")
	c.send("get yyyyyyyy")
	if c.QueueLen() != 2 || c.QueueBytes() == 0 {
		t.Errorf("%d queued, %d bytes", c.QueueLen(), c.QueueBytes())
	}
	c.expect("exec", "*2·+OK·$-1·")
	c.expect("get key", "$5·value·")
}

func TestTransactionSizeIsBounded(t *testing.T) {
	t.Parallel()
	c := start(t, func(c *server.Config) {
		l := server.DefaultLimits()
		l.MaxQuery = 1000
		c.Limits = func() *server.Limits { return l }
	}).connect()
	c.send("multi")
	for range 20 {
		c.feed("get aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n")
		if !c.Process() {
			return
		}
	}
	t.Error("the queue grows without a limit")
}

func TestTransactionRouting(t *testing.T) {
	t.Parallel()
	var r router
	f := start(t, func(c *server.Config) { c.Router = &r })
	foo := command.SlotOf([]byte("foo"))
	moved := "MOVED 12182 127.0.0.1:7001"
	r.route = func(q *command.Query) command.Verdict {
		switch {
		case q.CrossSlot:
			return command.Verdict{Err: "CROSSSLOT Keys in request don't hash to the same slot"}
		case q.Slot == foo:
			return command.Verdict{Err: moved}
		}
		return command.Verdict{}
	}
	c := f.connect()
	c.expect("multi\nget foo\nexec", "+OK·-"+moved+"·"+aborted)
	c.expect("multi\nget a\nget b\nping\nexec\nexec", "+OK·+QUEUED·+QUEUED·+QUEUED·-CROSSSLOT Keys in request don't hash to the same slot·-ERR EXEC without MULTI·")
	c.expect("mget a b", "-CROSSSLOT Keys in request don't hash to the same slot·")
	c.expect("watch foo", "-"+moved+"·")
	c.expect("multi\nping\nexec", "+OK·+QUEUED·*1·+PONG·")

	// The slot leaves between the queueing and EXEC.
	c.expect("multi\nset {a}1 x\nget {a}2", "+OK·+QUEUED·+QUEUED·")
	r.route = func(*command.Query) command.Verdict { return command.Verdict{Err: moved} }
	c.expect("exec\nexec", "-"+moved+"·-ERR EXEC without MULTI·")

	// It leaves while the transaction waits for something else.
	calls := 0
	r.route = func(*command.Query) command.Verdict {
		if calls++; calls > 3 {
			return command.Verdict{Err: moved}
		}
		return command.Verdict{}
	}
	c.expect("multi\nset a 1\nadmin x\nget a\nping\nexec", "+OK·+QUEUED·+QUEUED·+QUEUED·+QUEUED·*4·+OK·+x of 1·-"+moved+"·+PONG·")
}

func TestAskingHoldsForOneCommandOrOneTransaction(t *testing.T) {
	t.Parallel()
	var r router
	r.route = func(q *command.Query) command.Verdict {
		if !q.Asking {
			return command.Verdict{Err: "MOVED 1 h:1"}
		}
		return command.Verdict{}
	}
	c := start(t, func(c *server.Config) { c.Router = &r }).connect()
	c.expect("get a\nasking\nget a\nget a", "-MOVED 1 h:1·+OK·$-1·-MOVED 1 h:1·")
	c.expect("asking\nmulti\nget a\nincr a\nexec\nget a", "+OK·+OK·+QUEUED·+QUEUED·*2·$-1·:1·-MOVED 1 h:1·")
	c.expect("multi\nasking\nget a\nexec", "+OK·+QUEUED·-MOVED 1 h:1·"+aborted)
}
