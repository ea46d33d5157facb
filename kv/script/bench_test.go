package script_test

import (
	"io"
	"testing"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/kv/script"
	"conclave/resp/command"
	"conclave/resp/server"
)

type sink struct{ io.Writer }

func (sink) Close() error { return nil }

func benchmarkEval(b *testing.B, source string) {
	store, engine := kv.New(kv.Config{}), script.New(script.Config{})
	s := server.New(server.Config{Keyspace: store})
	table, err := command.Build(append(commands.Specs(commands.Deps{Store: store, MaxBulkLen: func() int64 { return 512 << 20 }}),
		command.Specs(), s.TransactionSpecs(), engine.Specs())...)
	if err != nil {
		b.Fatal(err)
	}
	s.Use(table)
	session := s.NewSession(server.Peer{Addr: "127.0.0.1:1", Loopback: true}, sink{io.Discard})
	defer session.Close()
	const pipeline = 16
	var request []byte
	for range pipeline {
		request = command.AppendCall(request, bytesOf([]string{"eval", source, "1", "key1", "val"})...)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%pipeline != 0 {
			continue
		}
		for rest := request; len(rest) > 0; {
			k := copy(session.Input(), rest)
			session.Fed(k)
			rest = rest[k:]
			if !session.Process() {
				b.Fatal("the session ended")
			}
		}
	}
}

func BenchmarkEvalReturn(b *testing.B) { benchmarkEval(b, "return 1") }
func BenchmarkEvalGet(b *testing.B)    { benchmarkEval(b, "return redis.call('get',KEYS[1])") }
func BenchmarkEvalSet(b *testing.B) {
	benchmarkEval(b, "return redis.call('set',KEYS[1],ARGV[1])")
}
func BenchmarkEvalLoop(b *testing.B) { benchmarkEval(b, "local s=0 for i=1,20 do s=s+i end return s") }
