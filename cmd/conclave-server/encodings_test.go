package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// CONFIG SET changes when collections change their representation, at once.
func TestEncodingsFollowTheDirectives(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	cmd := process(t, "--port", port, "--hash-max-ziplist-entries", "3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "the server answers", func() bool { return answers(port) })
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	lines := []string{
		"CONFIG GET hash-max-listpack-entries", "HSET h a 1 b 2 c 3", "OBJECT ENCODING h", "HSET h d 4", "OBJECT ENCODING h",
		"CONFIG SET hash-max-listpack-entries 4 set-max-intset-entries 2", "DEL h", "HSET h a 1 b 2 c 3 d 4", "OBJECT ENCODING h",
		"SADD s 1", "SADD s 2", "OBJECT ENCODING s", "SADD s 3", "OBJECT ENCODING s", "QUIT",
	}
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	want := "*2 $25 hash-max-listpack-entries $1 3 :3 $8 listpack :1 $9 hashtable +OK :1 :4 $8 listpack " +
		":1 :1 $6 intset :1 $9 hashtable +OK"
	if got := strings.Join(strings.Fields(string(got)), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
