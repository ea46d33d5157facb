package persist

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// AOFReader reads an incremental part: commands as clients send them, between
// annotations. Its fields may be set before the first call of Next.
type AOFReader struct {
	// MaxString bounds an argument.
	MaxString int
	// Hold is how much is kept back, in bytes, until a checksum says that it is
	// right. What is longer than that is given out before.
	Hold int
	// Progress is told how much was read, about every 256 KB.
	Progress func(offset int64)
	// Time is told the time stamps, in seconds.
	Time func(unix int64)

	d   decoder
	src source

	free [][]byte // for arguments of the commands to come

	batch  AOFBatch
	region int64 // where what the next checksum covers begins
	summed bool  // there was a checksum before, so one is due
	torn   bool  // the checksum that was wrong has the length that is right
	good   int64
	given  int64 // offset behind the last batch
	multi  int   // index of the MULTI that isn't answered by an EXEC yet, or -1
	err    error
}

// AOFBatch is what was read at once.
type AOFBatch struct {
	// Commands have at least one argument each. MULTI and EXEC are among them; a
	// transaction is never spread over two batches. They share memory with the
	// window, which nobody writes again.
	Commands [][][]byte
	// End is the offset behind the last of them.
	End int64
	// Checked says that a checksum covers all of them.
	Checked bool
}

// NewAOFReader reads a part from src, which stands at the given offset of its
// file: 0, or the end of the RDB file that a base part may begin with.
func NewAOFReader(src io.Reader, offset int64) *AOFReader {
	return &AOFReader{
		MaxString: 512 << 20, Hold: 1 << 20,
		src:    source{r: src, read: offset, sum: true},
		region: offset, good: offset, multi: -1,
	}
}

// Next returns the next commands. At the end the error is io.EOF, and otherwise
// an [*AOFError]. What is complete before a part is cut off is given out first;
// before damage, what a checksum should have covered is not.
func (r *AOFReader) Next() (AOFBatch, error) {
	r.src.progress = r.Progress
	r.d.src, r.d.maxString = &r.src, r.MaxString
	for r.err == nil {
		at := r.src.offset(r.d.rest)
		end, err := r.record()
		switch {
		case err != nil:
			r.fail(at, err)
		case end != goesOn && r.multi < 0 && len(r.batch.Commands) > 0:
			return r.release(end == endsChecked), nil
		case r.multi < 0 && r.overdue() && len(r.batch.Commands) > 0:
			return r.release(false), nil
		}
	}
	if len(r.batch.Commands) > 0 && (errors.Is(r.err, io.EOF) || errors.Is(r.err, io.ErrUnexpectedEOF)) {
		if r.multi >= 0 {
			r.batch.Commands = r.batch.Commands[:r.multi]
			r.multi = -1
		}
		if len(r.batch.Commands) > 0 {
			return r.release(false), nil
		}
	}
	return AOFBatch{}, r.err
}

// releaseAt is how much is given out at once where there are no checksums.
const releaseAt = 64 << 10

// overdue reports whether commands have been kept back for long enough.
func (r *AOFReader) overdue() bool {
	at := r.src.offset(r.d.rest)
	return at-r.region >= int64(r.Hold) && at-r.given >= int64(min(r.Hold, releaseAt))
}

func (r *AOFReader) release(checked bool) AOFBatch {
	r.given = r.good
	b := AOFBatch{Commands: r.batch.Commands, End: r.good, Checked: checked}
	r.batch.Commands = nil
	return b
}

// fail turns an error in the record at the given offset into the reader's.
func (r *AOFReader) fail(at int64, err error) {
	switch {
	case errors.Is(err, io.EOF) && r.multi < 0:
		r.err = io.EOF
		return
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF // in a transaction
	}
	e := &AOFError{Offset: at, Good: r.good, Err: err}
	switch {
	case errors.Is(err, ErrChecksum):
		e.Good = r.region
		rest, end := r.src.more(r.d.rest, uint64(len(r.d.rest))+1)
		e.Last = r.torn && len(rest) == 0 && end != nil
	case errors.Is(err, ErrFormat) && r.onlyZeros():
		// The file grew on disk before what was written did.
		e.Err = io.ErrUnexpectedEOF
	case errors.Is(err, ErrFormat) && r.summed:
		e.Good = r.region
	}
	r.err = e
}

// onlyZeros reports whether nothing but zeros follows, one at least.
func (r *AOFReader) onlyZeros() bool {
	some := false
	for {
		if len(bytes.Trim(r.d.rest, "\x00")) > 0 {
			return false
		}
		some = some || len(r.d.rest) > 0
		r.d.rest = r.d.rest[len(r.d.rest):]
		var err error
		if r.d.rest, err = r.src.more(r.d.rest, 1); err != nil {
			return some && errors.Is(err, io.ErrUnexpectedEOF)
		}
	}
}

// batchEnd says whether a record ends a batch.
type batchEnd int

const (
	goesOn batchEnd = iota
	endsUnchecked
	endsChecked
)

// record reads a command or an annotation.
func (r *AOFReader) record() (end batchEnd, err error) {
	at := r.src.offset(r.d.rest)
	line, err := r.line()
	if err != nil {
		return goesOn, err
	}
	switch {
	case line[0] != '#':
		err = r.command(line)
	case bytes.HasPrefix(line, []byte(annotationChecksum)):
		end, err = r.verify(string(line[len(annotationChecksum):]), at)
	case bytes.HasPrefix(line, []byte(annotationTime)) && r.Time != nil:
		if unix, err := strconv.ParseInt(string(line[len(annotationTime):]), 10, 64); err == nil {
			r.Time(unix)
		}
	}
	if err == nil && r.multi < 0 {
		r.good = r.src.offset(r.d.rest)
	}
	return end, err
}

// verify looks at a checksum, whose line begins at the given offset and was
// just read.
func (r *AOFReader) verify(s string, at int64) (end batchEnd, err error) {
	n, want, ok := parseChecksum(s)
	if !ok {
		return goesOn, ErrChecksum
	}
	crc := r.sumTo(at)
	switch {
	case n == 0 && want == 0:
		// What came before is somebody else's, who writes no checksums.
		end = endsUnchecked
	case n != at-r.region:
		return goesOn, ErrChecksum
	case crc != want:
		r.torn = true
		return goesOn, ErrChecksum
	default:
		end = endsChecked
	}
	r.region, r.summed = r.src.offset(r.d.rest), true
	return end, nil
}

// sumTo ends the sum of a region at the given offset and begins that of the
// next one behind what was read.
func (r *AOFReader) sumTo(at int64) uint64 {
	back := int(r.src.offset(r.d.rest) - at)
	here := len(r.src.window) - len(r.d.rest)
	// The line lies in one window: it was read as a whole.
	r.src.consume(r.src.window[here-back:])
	crc := r.src.crc
	r.src.crc, r.src.summed = 0, here
	return crc
}

// line reads a line without its end, which is CR LF. It isn't empty.
func (r *AOFReader) line() ([]byte, error) {
	const bad = malformed("a line that isn't one of RESP")
	searched := 0
	for {
		if i := bytes.IndexByte(r.d.rest[searched:], '\n'); i >= 0 {
			line := r.d.rest[:searched+i]
			if len(line) < 2 || bytes.IndexByte(line, '\r') != len(line)-1 || len(line) >= longestAnnotation {
				return nil, bad
			}
			r.d.rest = r.d.rest[len(line)+1:]
			return line[:len(line)-1], nil
		}
		searched = len(r.d.rest)
		if searched >= longestAnnotation {
			r.dropHalfLine()
			return nil, bad
		}
		rest, err := r.src.more(r.d.rest, uint64(searched)+1)
		r.d.rest = rest
		if errors.Is(err, io.ErrUnexpectedEOF) && searched == 0 {
			return nil, io.EOF
		}
		if err != nil {
			if r.dropHalfLine() {
				return nil, bad
			}
			return nil, err
		}
	}
}

// dropHalfLine leaves the zeros that follow a line which was cut off, if there
// are any.
func (r *AOFReader) dropHalfLine() bool {
	i := bytes.IndexByte(r.d.rest[:min(len(r.d.rest), longestAnnotation)], 0)
	if i >= 0 {
		r.d.rest = r.d.rest[i:]
	}
	return i >= 0
}

// command reads a command whose first line is given.
func (r *AOFReader) command(line []byte) error {
	argc, err := header(line, '*')
	if err != nil || argc == 0 {
		return malformed("no command where one is due")
	}
	args := r.slots(argc)
	for range argc {
		line, err := r.line()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		n, err := header(line, '$')
		if err != nil || n > uint64(r.MaxString) {
			return malformed("an argument's length")
		}
		p, err := r.d.take(n + 2)
		if err != nil {
			return err
		}
		if p[n] != '\r' || p[n+1] != '\n' {
			back := 2 // what should have been the end may be the first zeros
			if p[n] == '\r' {
				back = 1
			}
			r.d.rest = r.src.window[len(r.src.window)-len(r.d.rest)-back:]
			return malformed("an argument longer than it says")
		}
		args = append(args, p[:n:n])
	}
	r.batch.Commands = append(r.batch.Commands, args)
	switch {
	case r.multi < 0 && len(args) == 1 && equalFold(args[0], "multi"):
		r.multi = len(r.batch.Commands) - 1
	case r.multi >= 0 && (equalFold(args[0], "exec") || equalFold(args[0], "discard")):
		r.multi = -1
	}
	return nil
}

func header(line []byte, kind byte) (n uint64, err error) {
	const most = len("4294967295")
	if line[0] != kind || len(line) < 2 || len(line) > 1+most {
		return 0, ErrFormat
	}
	for _, c := range line[1:] {
		if c < '0' || c > '9' {
			return 0, ErrFormat
		}
		n = n*10 + uint64(c-'0')
	}
	return n, nil
}

// slots is room for so many arguments, if they come.
func (r *AOFReader) slots(n uint64) [][]byte {
	const slab, share = 512, 16
	if n > share {
		return make([][]byte, 0, few(n))
	}
	if uint64(len(r.free)) < n {
		r.free = make([][]byte, slab)
	}
	s := r.free[:0:n]
	r.free = r.free[n:]
	return s
}

func equalFold(p []byte, word string) bool {
	return len(p) == len(word) && strings.EqualFold(string(p), word)
}
