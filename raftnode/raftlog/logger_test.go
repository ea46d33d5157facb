package raftlog_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"conclave/raftnode/raftlog"
)

func TestLinesAsTheLibraryWritesThem(t *testing.T) {
	tests := []struct {
		name string
		log  func(l hclog.Logger)
		want string // "" = nothing
	}{
		{"attributes", func(l hclog.Logger) { l.Info("entering state", "term", 3) }, `level=INFO msg="entering state" term=3`},
		{"error", func(l hclog.Logger) { l.Error("failed", "error", "disk") }, `level=ERROR msg=failed err=disk`},
		{"format", func(l hclog.Logger) { l.Warn("short", "received", hclog.Fmt("%d / %d", 1, 2)) }, `level=WARN msg=short received="1 / 2"`},
		{"empty format", func(l hclog.Logger) { l.Warn("short", "received", hclog.Format{}) }, `level=WARN msg=short received=<nil>`},
		{"named, with", func(l hclog.Logger) { l.Named("net").Named("x").With("peer", "p").Info("up") }, `level=INFO msg=up peer=p part=net.x`},
		{"odd arguments", func(l hclog.Logger) { l.Info("up", "alone") }, `level=INFO msg=up !BADKEY=alone`},
		{"below the level", func(l hclog.Logger) { l.Debug("quiet"); l.Trace("quieter"); l.Log(hclog.Off, "off") }, ``},
		{"standard logger", func(l hclog.Logger) { l.StandardLogger(nil).Print("line") }, `level=INFO msg=line`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			h := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}})
			tt.log(raftlog.New(slog.New(h)))
			if got := strings.TrimSpace(out.String()); got != tt.want {
				t.Errorf("wrote %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLevelIsTheHandlers(t *testing.T) {
	l := raftlog.New(slog.New(slog.NewTextHandler(new(bytes.Buffer), &slog.HandlerOptions{Level: slog.LevelWarn})))
	l.SetLevel(hclog.Trace)
	if l.GetLevel() != hclog.Warn || l.IsInfo() || !l.IsWarn() {
		t.Errorf("level %v", l.GetLevel())
	}
}
