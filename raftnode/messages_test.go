package raftnode_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/raftnode"
	"conclave/raftnode/store"
)

// inbox is what was delivered to one node.
type inbox struct {
	mu  sync.Mutex
	got []string
}

func (b *inbox) deliver(shard bool, channel, message []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, fmt.Sprintf("%t %s %s", shard, channel, message))
}

func (b *inbox) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.got, ", ")
}

func TestPublishedMessagesReachEveryNode(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ports := freePorts(t, 3)
	ms, boxes := make([]*member, 3), make([]inbox, 3)
	run := func(i int, mem *store.Memory) {
		ms[i] = startMember(t, ports[i], mem, func(c *raftnode.Config) { c.Deliver = boxes[i].deliver })
		<-ms[i].Ready()
	}
	for i := range ms {
		run(i, store.NewMemory())
	}
	ms[0].Publish(false, []byte("c"), []byte("nobody else is there"))
	for _, m := range ms[1:] {
		if err := m.Meet(ctx, "127.0.0.1", ports[0], ports[0]); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "everybody knows everybody", func() bool {
		for _, m := range ms {
			if len(m.View().Nodes()) != 3 {
				return false
			}
		}
		return true
	})
	for i := range 3 {
		ms[0].Publish(false, []byte("c"), fmt.Append(nil, i))
	}
	ms[0].Publish(true, []byte("s"), []byte("for the shard, which has no other node"))
	ms[2].Publish(false, []byte(""), []byte(""))
	want := []string{"false  ", "false c 0, false c 1, false c 2", "false c 0, false c 1, false c 2"}
	eventually(t, "the messages arrive", func() bool {
		return boxes[0].String() == want[0] && strings.Contains(boxes[1].String(), want[1]) && boxes[2].String() == want[2]
	})
	if got := len(boxes[1].got); got != 4 {
		t.Errorf("node 1 got %d messages, want 4: %s", got, &boxes[1])
	}

	// A node that is away misses what is published meanwhile, holds nobody up, and
	// gets messages again once it is back.
	ms[1].stop()
	eventually(t, "messages to a node that is away are dropped", func() bool {
		ms[0].Publish(false, []byte("c"), []byte("lost"))
		return ms[0].Status().MessagesDropped > 0
	})
	run(1, ms[1].mem)
	eventually(t, "messages arrive again", func() bool {
		ms[0].Publish(false, []byte("c"), []byte("again"))
		return strings.Contains(boxes[1].String(), "again")
	})
}

func TestMessageTooLarge(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ports := freePorts(t, 2)
	var box inbox
	a := startMember(t, ports[0], store.NewMemory())
	b := startMember(t, ports[1], store.NewMemory(), func(c *raftnode.Config) { c.Deliver = box.deliver })
	<-a.Ready()
	<-b.Ready()
	if err := b.Meet(ctx, "127.0.0.1", ports[0], ports[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both know each other", func() bool { return len(a.View().Nodes()) == 2 })
	a.Publish(false, []byte("c"), make([]byte, 65<<20))
	if n := a.Status().MessagesDropped; n != 1 {
		t.Errorf("%d messages dropped, want 1", n)
	}
	a.Publish(false, []byte("c"), []byte("next"))
	eventually(t, "the next message arrives", func() bool { return box.String() == "false c next" })
}
