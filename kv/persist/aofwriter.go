package persist

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// ErrAOFBroken says that a part can't be written any more: what is on disk isn't
// known. Only reading it again tells.
var ErrAOFBroken = errors.New("the append-only file can't be trusted any more")

// AOFOptions say what stands between commands.
type AOFOptions struct {
	Checksums  bool // a checksum behind each batch
	Timestamps bool // aof-timestamp-enabled
}

// AOFWriter appends commands to an incremental part. Commands are gathered, a
// batch of them is written at once, and made durable by a third call: who calls
// them, and when, is the caller's policy. Not for concurrent use, but for Sync,
// which may run beside the others.
type AOFWriter struct {
	AOFOptions
	f    File
	size int64
	buf  []byte
	db   int
	unix int64
	mark bool // a mark is due: what the file ends with may be another's
	err  error
}

// NewAOFWriter writes behind the end of a file of the given size.
func NewAOFWriter(f File, size int64, o AOFOptions) *AOFWriter {
	return &AOFWriter{AOFOptions: o, f: f, size: size, db: -1, mark: o.Checksums}
}

// Command gathers a command on a database. unix is the time in seconds, used
// for time stamps only.
func (w *AOFWriter) Command(unix int64, db int, args ...[]byte) {
	if w.Timestamps && unix > w.unix {
		w.unix = unix
		w.buf = AppendTimestamp(w.buf, unix)
	}
	if db != w.db {
		w.db = db
		w.buf = appendCommand(w.buf, []byte("SELECT"), strconv.AppendInt(nil, int64(db), 10))
	}
	w.buf = appendCommand(w.buf, args...)
}

func appendCommand(b []byte, args ...[]byte) []byte {
	b = strconv.AppendInt(append(b, '*'), int64(len(args)), 10)
	b = append(b, '\r', '\n')
	for _, a := range args {
		b = strconv.AppendInt(append(b, '$'), int64(len(a)), 10)
		b = append(b, '\r', '\n')
		b = append(b, a...)
		b = append(b, '\r', '\n')
	}
	return b
}

// Gather gathers encoded commands, between which there may be time stamps; which
// database they are for is the caller's to say. It takes text over and returns
// another buffer, empty, to be used in its place.
func (w *AOFWriter) Gather(text []byte) (spare []byte) {
	if len(w.buf) > 0 {
		w.buf = append(w.buf, text...)
		return text[:0]
	}
	spare, w.buf = w.buf[:0], text
	return spare
}

// AppendTimestamp appends a time stamp, as the commands behind it have it.
func AppendTimestamp(b []byte, unix int64) []byte {
	return fmt.Appendf(b, "%s%d\r\n", annotationTime, unix)
}

// Buffered is how many bytes are gathered.
func (w *AOFWriter) Buffered() int { return len(w.buf) }

// Size is how long the file is, without what is gathered.
func (w *AOFWriter) Size() int64 { return w.size }

// Flush writes what is gathered, in one call. If that fails, what was written of
// it is taken back and stays gathered: a full disk may have room later. An
// [ErrAOFBroken] is final.
func (w *AOFWriter) Flush() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	head := 0
	if w.mark {
		mark := appendChecksum(nil, 0, 0)
		w.buf, head = slices.Insert(w.buf, 0, mark...), len(mark)
	}
	end := len(w.buf)
	if w.Checksums {
		w.buf = appendChecksum(w.buf, end-head, Checksum(0, w.buf[head:]))
	}
	n, err := w.f.Write(w.buf)
	if err != nil {
		w.buf = w.buf[head:end]
		if n > 0 {
			if cut := w.f.Truncate(w.size); cut != nil {
				w.err = fmt.Errorf("%w: %w, and then %w", ErrAOFBroken, err, cut)
				return w.err
			}
		}
		return fmt.Errorf("append to the append-only file: %w", err)
	}
	w.mark = false
	w.size += int64(n)
	if cap(w.buf) > 1<<20 {
		w.buf = nil // don't keep the memory of a rush
	}
	w.buf = w.buf[:0]
	return nil
}

// Sync makes durable what was written before the call. A failure is final: the
// system may have dropped the pages, and a second attempt would succeed without
// them.
func (w *AOFWriter) Sync() error {
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrAOFBroken, err)
	}
	return nil
}

// Close closes the file. What is gathered or not durable is the caller's.
func (w *AOFWriter) Close() error { return w.f.Close() }
