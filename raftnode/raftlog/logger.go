package raftlog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// Logger is an hclog.Logger on a slog.Logger. SetLevel does nothing: the
// level is the slog handler's.
type Logger struct {
	to      *slog.Logger // without name
	name    string
	implied []any
}

var _ hclog.Logger = (*Logger)(nil)

// New wraps a logger.
func New(to *slog.Logger) *Logger { return &Logger{to: to} }

// level maps hclog's levels. Trace has no equal and lies below debug.
func level(l hclog.Level) slog.Level {
	switch l {
	case hclog.Trace:
		return slog.LevelDebug - 4
	case hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// Log implements hclog.Logger.
func (l *Logger) Log(lv hclog.Level, msg string, args ...any) {
	ctx := context.Background()
	sl := level(lv)
	if lv == hclog.Off || !l.to.Enabled(ctx, sl) {
		return
	}
	if l.name != "" {
		args = append([]any{"part", l.name}, args...)
	}
	l.to.Log(ctx, sl, msg, attrs(args)...)
}

// attrs turns hclog's special values into what they print as. An odd number of
// arguments is the library's mistake; slog marks it !BADKEY.
func attrs(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case hclog.Format:
			if len(a) > 0 {
				out[i] = fmt.Sprintf(fmt.Sprint(a[0]), a[1:]...)
			}
		case hclog.Hex, hclog.Octal, hclog.Binary:
			out[i] = fmt.Sprint(a)
		default:
			out[i] = a
		}
		if k, ok := out[i].(string); ok && i%2 == 0 && k == "error" {
			out[i] = "err"
		}
	}
	return out
}

// Trace implements hclog.Logger.
func (l *Logger) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }

// Debug implements hclog.Logger.
func (l *Logger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }

// Info implements hclog.Logger.
func (l *Logger) Info(msg string, args ...any) { l.Log(hclog.Info, msg, args...) }

// Warn implements hclog.Logger.
func (l *Logger) Warn(msg string, args ...any) { l.Log(hclog.Warn, msg, args...) }

// Error implements hclog.Logger.
func (l *Logger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l *Logger) enabled(lv hclog.Level) bool {
	return l.to.Enabled(context.Background(), level(lv))
}

// IsTrace implements hclog.Logger.
func (l *Logger) IsTrace() bool { return l.enabled(hclog.Trace) }

// IsDebug implements hclog.Logger.
func (l *Logger) IsDebug() bool { return l.enabled(hclog.Debug) }

// IsInfo implements hclog.Logger.
func (l *Logger) IsInfo() bool { return l.enabled(hclog.Info) }

// IsWarn implements hclog.Logger.
func (l *Logger) IsWarn() bool { return l.enabled(hclog.Warn) }

// IsError implements hclog.Logger.
func (l *Logger) IsError() bool { return l.enabled(hclog.Error) }

// ImpliedArgs implements hclog.Logger.
func (l *Logger) ImpliedArgs() []any { return l.implied }

// With implements hclog.Logger.
func (l *Logger) With(args ...any) hclog.Logger {
	implied := append(l.implied[:len(l.implied):len(l.implied)], args...)
	return &Logger{to: l.to.With(attrs(args)...), name: l.name, implied: implied}
}

// Name implements hclog.Logger.
func (l *Logger) Name() string { return l.name }

// Named implements hclog.Logger.
func (l *Logger) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

// ResetNamed implements hclog.Logger.
func (l *Logger) ResetNamed(name string) hclog.Logger {
	return &Logger{to: l.to, name: name, implied: l.implied}
}

// SetLevel implements hclog.Logger.
func (l *Logger) SetLevel(hclog.Level) {}

// GetLevel implements hclog.Logger.
func (l *Logger) GetLevel() hclog.Level {
	for _, lv := range []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn} {
		if l.enabled(lv) {
			return lv
		}
	}
	return hclog.Error
}

// StandardLogger implements hclog.Logger.
func (l *Logger) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(opts), "", 0)
}

// StandardWriter implements hclog.Logger.
func (l *Logger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lineWriter{l} }

type lineWriter struct{ l *Logger }

func (w lineWriter) Write(p []byte) (int, error) {
	w.l.Info(string(bytes.TrimRight(p, "\n")))
	return len(p), nil
}
