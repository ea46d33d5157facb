package raftnode

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

func TestMessageFormat(t *testing.T) {
	doc, err := os.ReadFile("peer/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(doc), "```hex\n")
	text, _, _ := strings.Cut(blocks[len(blocks)-1], "```")
	want, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	if got := appendMessage(nil, false, []byte("news"), []byte("hi")); !bytes.Equal(got, want) {
		t.Errorf("frame is %x, FORMAT.md has %x", got, want)
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add(appendMessage(nil, true, []byte("news"), []byte("hi"))[5:])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, p []byte) {
		channel, message, err := parseMessage(p)
		if err != nil {
			return
		}
		b := appendMessage(nil, false, channel, message)
		kind, again, err := readFrame(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil || kind != frameChannel || !bytes.Equal(again, p) {
			t.Errorf("%x becomes %x (%v)", p, again, err)
		}
	})
}
