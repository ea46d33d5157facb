package persist

import (
	"fmt"
	"strconv"
	"strings"
)

// Annotations are lines between commands, which Redis passes over.
const (
	annotationTime     = "#TS:"  // Unix time in seconds of the commands that follow
	annotationChecksum = "#CRC:" // length and CRC64 of what was written since the last such line
)

// longestAnnotation is what Redis reads as one line, with its end.
const longestAnnotation = 1024

// appendChecksum writes the line behind a batch of n bytes. Of no bytes it is a
// mark, which stands before the first batch of a writer: what is between it and
// the line before is somebody else's.
func appendChecksum(b []byte, n int, crc uint64) []byte {
	return fmt.Appendf(b, "%s%d:%016x\r\n", annotationChecksum, n, crc)
}

// parseChecksum reads what stands behind the line's name.
func parseChecksum(s string) (n int64, crc uint64, ok bool) {
	length, digits, ok := strings.Cut(s, ":")
	if !ok || len(digits) != 16 || digits != strings.ToLower(digits) {
		return 0, 0, false
	}
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil || n < 0 {
		return 0, 0, false
	}
	crc, err = strconv.ParseUint(digits, 16, 64)
	return n, crc, err == nil
}

// AOFError says where reading an incremental part failed. It wraps
// io.ErrUnexpectedEOF for a part that is cut off or ends in zeros, an
// [ErrFormat], an [ErrChecksum], or the error of the reader below.
type AOFError struct {
	// Offset is where the command or annotation begins that can't be read.
	Offset int64
	// Good is the end of the last good record: of the last complete command or
	// transaction, or, if the part is damaged where there are checksums, of what
	// the checksum before covers. A part cut off there can be read.
	Good int64
	// Last says that the checksum of the last batch is wrong, and that is the end
	// of the part: so does a write look of which a crash has lost a piece.
	Last bool
	Err  error
}

func (e *AOFError) Error() string {
	return fmt.Sprintf("append-only file at byte %d (good up to byte %d): %v", e.Offset, e.Good, e.Err)
}

func (e *AOFError) Unwrap() error { return e.Err }
