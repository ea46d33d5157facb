package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// RDBReader reads files. Its fields say who is told what; each function but
// Entry may be nil. An error from one of them ends the reading and is returned
// as it is.
type RDBReader struct {
	// MaxString bounds every string, also a compressed one.
	MaxString int
	// NoChecksum leaves the checksum alone (rdbchecksum no).
	NoChecksum bool

	Entry func(Entry) error
	// Aux is told the facts about the file: redis-ver, ctime, aof-base ...
	Aux func(name, value []byte) error
	// Function gets the source of a library of functions.
	Function func(code []byte) error
	// SizeHint is told how many keys will come for a database, as far as the
	// writer knew.
	SizeHint func(db int, keys, expires uint64)
	// Module is told about a value (then with its key) or other data of a module,
	// which is skipped if it returns nil. Without it such a file is refused.
	Module func(db int, key []byte, module string) error
	// Progress is told how much was read, about every 256 KB.
	Progress func(offset int64)
}

// RDBSummary describes a file that was read.
type RDBSummary struct {
	Version int
	// Bytes is the length of the file; a stream may go on behind it.
	Bytes int64
	// Rest is what was read from the stream behind the file.
	Rest []byte
	// Keys counts the entries, Empty the collections without elements, which old
	// versions could write: they are left out.
	Keys, Empty int
	// Checked says that there was a checksum, and it was right.
	Checked bool
}

// Read reads one file from src, which may be a stream that goes on behind it.
// The error is an [*RDBError] or that of one of the reader's functions.
func (r *RDBReader) Read(src io.Reader) (RDBSummary, error) {
	f := rdbFile{
		RDBReader: r,
		src:       source{r: src, sum: !r.NoChecksum, progress: r.Progress},
	}
	f.d = decoder{maxString: r.MaxString, src: &f.src}
	f.clear()
	err := f.read()
	f.sum.Bytes = f.src.offset(f.d.rest)
	f.sum.Rest = f.d.rest
	var told callbackError
	switch {
	case err == nil:
		return f.sum, nil
	case errors.As(err, &told):
		return f.sum, told.error
	}
	return f.sum, &RDBError{Offset: f.src.offset(f.d.rest), Record: f.record, Key: f.entry.Key, Err: err}
}

// callbackError tells an error of the caller's functions from one of the file.
type callbackError struct{ error }

func told(err error) error {
	if err != nil {
		return callbackError{err}
	}
	return nil
}

// rdbFile is a file being read.
type rdbFile struct {
	*RDBReader
	src    source
	d      decoder
	sum    RDBSummary
	record int64
	entry  Entry // what is known of the next key
}

func (f *rdbFile) clear() {
	f.entry = Entry{DB: f.entry.DB, ExpireMs: NoExpiry, Idle: NoIdle, Freq: NoFreq}
}

func (f *rdbFile) read() error {
	if err := f.header(); err != nil {
		return err
	}
	for {
		f.record = f.src.offset(f.d.rest)
		end, err := f.next()
		if err != nil {
			return err
		}
		if end {
			return f.checksum()
		}
	}
}

func (f *rdbFile) header() error {
	p, err := f.d.take(uint64(len(rdbMagic) + 4))
	if err != nil {
		return err
	}
	digits, ok := bytes.CutPrefix(p, []byte(rdbMagic))
	if !ok {
		return malformed("not an RDB file")
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return malformed("not an RDB file's version")
		}
		f.sum.Version = f.sum.Version*10 + int(c-'0')
	}
	if f.sum.Version < 1 || f.sum.Version > MaxVersion {
		return malformed("an RDB file of version " + string(digits) + ", which is too new")
	}
	return nil
}

// next reads a record: a key, or an operation of which some describe the key
// that follows.
func (f *rdbFile) next() (end bool, err error) {
	op, err := f.d.byte()
	if err != nil {
		return false, err
	}
	switch op {
	case opEnd:
		return true, nil
	case opSelectDatabase:
		n, err := f.d.size()
		if err == nil && n > math.MaxInt32 {
			err = malformed("a database number out of range")
		}
		f.entry.DB = int(n)
		return false, err
	case opExpire, opExpireMs:
		return false, f.expiry(op)
	case opFreq:
		n, err := f.d.byte()
		f.entry.Freq = int(n)
		return false, err
	case opIdle:
		n, err := f.d.size()
		f.entry.Idle = int64(min(n, math.MaxInt64))
		return false, err
	case opSizeHint, opSlotInfo:
		return false, f.hint(op)
	case opAux:
		name, value, err := f.twoStrings()
		if err == nil && f.Aux != nil {
			err = told(f.Aux(name, value))
		}
		return false, err
	case opFunction:
		code, err := f.d.string()
		if err == nil && f.Function != nil {
			err = told(f.Function(code))
		}
		return false, err
	case opFunctionPreGA:
		return false, malformed("a function of a release candidate of Redis 7")
	case opModuleAux:
		return false, f.moduleAux()
	}
	return false, f.key(op)
}

func (f *rdbFile) twoStrings() (a, b []byte, err error) {
	if a, err = f.d.string(); err != nil {
		return nil, nil, err
	}
	b, err = f.d.string()
	return a, b, err
}

func (f *rdbFile) expiry(op byte) error {
	var ms int64
	if op == opExpire {
		p, err := f.d.take(4)
		if err != nil {
			return err
		}
		ms = int64(int32(binary.LittleEndian.Uint32(p))) * 1000
	} else {
		n, err := f.d.uint64()
		if err != nil {
			return err
		}
		ms = int64(n)
	}
	// A time at or before the epoch is long past, and mustn't read as no expiry.
	f.entry.ExpireMs = max(ms, 1)
	return nil
}

func (f *rdbFile) hint(op byte) error {
	if op == opSlotInfo {
		var slot, keys, expires uint64
		return f.d.sizes(&slot, &keys, &expires)
	}
	var keys, expires uint64
	if err := f.d.sizes(&keys, &expires); err != nil {
		return err
	}
	if f.SizeHint != nil {
		f.SizeHint(f.entry.DB, keys, expires)
	}
	return nil
}

func (f *rdbFile) key(kind byte) error {
	key, err := f.d.string()
	if err != nil {
		return err
	}
	f.entry.Key = key
	if kind == typeModule1 || kind == typeModule2 {
		return f.module(kind)
	}
	f.entry.Value, err = f.d.value(kind)
	switch {
	case errors.Is(err, errEmpty):
		f.sum.Empty++
	case err != nil:
		return err
	default:
		f.sum.Keys++
		if err := f.Entry(f.entry); err != nil {
			return told(err)
		}
	}
	f.clear()
	return nil
}

func (f *rdbFile) checksum() error {
	if f.sum.Version < firstSummed {
		return nil
	}
	f.src.consume(f.d.rest)
	want := f.src.crc
	got, err := f.d.uint64()
	switch {
	case err != nil:
		return err
	case got == 0 || f.NoChecksum: // 0: written without
		return nil
	case got != want:
		return ErrChecksum
	}
	f.sum.Checked = true
	return nil
}
