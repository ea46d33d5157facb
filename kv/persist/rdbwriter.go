package persist

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"time"
)

// RDBWriter writes a file as a stream. Its functions have no results: the first
// error stays, and [RDBWriter.Close] returns it. Not for concurrent use.
type RDBWriter struct {
	enc   encoder
	dst   io.Writer
	sum   bool
	crc   uint64
	bytes int64
	db    int
	err   error
}

// NewRDBWriter begins a file. With checksum false (rdbchecksum no) zero stands
// for it.
func NewRDBWriter(dst io.Writer, e Encoding, checksum bool) *RDBWriter {
	w := &RDBWriter{enc: encoder{Encoding: e}, dst: dst, sum: checksum, db: -1}
	w.enc.spill = w.spill
	w.enc.b = fmt.Appendf(make([]byte, 0, spillAt+spillAt/4), "%s%04d", rdbMagic, e.Version)
	return w
}

func (w *RDBWriter) spill(b []byte) []byte {
	if w.sum {
		w.crc = Checksum(w.crc, b)
	}
	if w.err == nil {
		_, w.err = w.dst.Write(b)
	}
	w.bytes += int64(len(b))
	if cap(b) > 16*spillAt {
		b = make([]byte, 0, spillAt+spillAt/4) // a huge string has passed
	}
	return b[:0]
}

// Err is the error so far, for a caller who wants to give up early.
func (w *RDBWriter) Err() error { return w.err }

// Bytes is how long the file is so far.
func (w *RDBWriter) Bytes() int64 { return w.bytes + int64(len(w.enc.b)) }

// Aux writes a fact about the file.
func (w *RDBWriter) Aux(name, value string) {
	w.enc.byte(opAux)
	w.enc.string([]byte(name))
	w.enc.string([]byte(value))
}

// RDBInfo are the facts that Redis writes at the beginning of a file.
type RDBInfo struct {
	ServerVersion string
	Created       time.Time
	UsedMemory    uint64
	// Base marks the base file of an append-only file.
	Base bool
	// Replication is the history that the data are a state of, if there is one.
	Replication *RDBReplication
}

// RDBReplication is a position in a history.
type RDBReplication struct {
	ID       string
	Offset   int64
	StreamDB int // the database that the history has selected
}

// Info writes the facts as Redis names them.
func (w *RDBWriter) Info(i RDBInfo) {
	w.Aux("redis-ver", i.ServerVersion)
	w.Aux("redis-bits", "64")
	w.Aux("ctime", strconv.FormatInt(i.Created.Unix(), 10))
	w.Aux("used-mem", strconv.FormatUint(i.UsedMemory, 10))
	if r := i.Replication; r != nil {
		w.Aux("repl-stream-db", strconv.Itoa(r.StreamDB))
		w.Aux("repl-id", r.ID)
		w.Aux("repl-offset", strconv.FormatInt(r.Offset, 10))
	}
	base := "0"
	if i.Base {
		base = "1"
	}
	w.Aux("aof-base", base)
}

// Function writes the source of a library of functions.
func (w *RDBWriter) Function(code []byte) {
	w.enc.byte(opFunction)
	w.enc.string(code)
}

// Database announces a database and about how many keys it has. Writing an
// entry does so, without numbers, if it is of another database than the last.
func (w *RDBWriter) Database(db int, keys, expires uint64) {
	w.selectDatabase(db)
	w.enc.byte(opSizeHint)
	w.enc.length(keys)
	w.enc.length(expires)
}

func (w *RDBWriter) selectDatabase(db int) {
	if db == w.db {
		return
	}
	w.db = db
	w.enc.byte(opSelectDatabase)
	w.enc.length(uint64(db))
}

// Entry writes a key. Redis writes either the idle time or the frequency,
// depending on its eviction policy; so does this if only one is given.
func (w *RDBWriter) Entry(e *Entry) {
	w.selectDatabase(e.DB)
	if e.ExpireMs != NoExpiry {
		w.enc.byte(opExpireMs)
		w.enc.uint64(uint64(e.ExpireMs))
	}
	if e.Idle >= 0 {
		w.enc.byte(opIdle)
		w.enc.length(uint64(e.Idle))
	}
	if e.Freq >= 0 {
		w.enc.byte(opFreq)
		w.enc.byte(byte(e.Freq))
	}
	kind := e.Value.layout(&w.enc.Encoding)
	w.enc.byte(kind)
	w.enc.string(e.Key)
	e.Value.encode(&w.enc, kind)
}

// Close ends the file and passes on what is left. It leaves dst open.
func (w *RDBWriter) Close() error {
	w.enc.byte(opEnd)
	w.enc.b = w.spill(w.enc.b)
	w.sum = w.sum && w.err == nil
	crc := w.crc
	if !w.sum {
		crc = 0
	}
	w.enc.b = w.spill(binary.LittleEndian.AppendUint64(w.enc.b, crc))
	if w.err != nil {
		return fmt.Errorf("write RDB: %w", w.err)
	}
	return nil
}
