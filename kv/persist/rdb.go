package persist

import "fmt"

// NoExpiry, NoIdle and NoFreq say that an [Entry] doesn't have it.
const (
	NoExpiry int64 = 0
	NoIdle   int64 = -1
	NoFreq   int   = -1
)

// Entry is a key of an RDB file. Read ones share memory with the file's window
// of a few hundred KB, which nobody writes again: they may be kept and passed
// on, but keep it alive.
type Entry struct {
	DB       int
	Key      []byte
	ExpireMs int64 // Unix time, or NoExpiry
	Idle     int64 // seconds, or NoIdle
	Freq     int   // 0 to 255, or NoFreq
	Value    Value
}

// An RDB file is the magic word, the version in four digits, records, the end
// and the checksum.
const (
	rdbMagic = "REDIS"
	// firstSummed is the version since which there is a checksum.
	firstSummed = 5
)

// First bytes of records that aren't a key with its value.
const (
	opSlotInfo       = 244 // Valkey 8, Redis 7.4: slot, keys, expiries
	opFunction       = 245
	opFunctionPreGA  = 246 // of release candidates
	opModuleAux      = 247
	opIdle           = 248
	opFreq           = 249
	opAux            = 250
	opSizeHint       = 251
	opExpireMs       = 252
	opExpire         = 253
	opSelectDatabase = 254
	opEnd            = 255
)

// RDBError says where reading a file failed. It wraps an [ErrFormat], an
// [ErrChecksum], io.ErrUnexpectedEOF for a file that is cut off, or the error of
// the reader below.
type RDBError struct {
	Offset int64  // where the reader stood
	Record int64  // where the record begins; up to here the file is whole
	Key    []byte // of the record, nil if it wasn't read or there is none
	Err    error
}

func (e *RDBError) Error() string {
	if e.Key != nil {
		return fmt.Sprintf("RDB at byte %d, in the record at %d of the key %.128q: %v", e.Offset, e.Record, e.Key, e.Err)
	}
	return fmt.Sprintf("RDB at byte %d, in the record at %d: %v", e.Offset, e.Record, e.Err)
}

func (e *RDBError) Unwrap() error { return e.Err }
