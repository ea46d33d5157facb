package persist

import (
	"errors"
	"io"
)

// source moves a decoder's window along a stream. A window is never written
// again once a decoder has seen it: values keep sharing its memory, and may be
// handed to another goroutine.
type source struct {
	r        io.Reader
	window   []byte // its end is what the decoder has left
	read     int64  // bytes taken from r
	progress func(offset int64)

	sum    bool
	crc    uint64
	summed int // window[:summed] is in crc
}

const windowSize = 256 << 10

// more returns a window that begins with rest and has at least n bytes. Memory
// grows with what comes, not with n. A stream that ends before is an
// io.ErrUnexpectedEOF.
func (s *source) more(rest []byte, n uint64) ([]byte, error) {
	for uint64(len(rest)) < n {
		if len(s.window) == cap(s.window) {
			s.consume(rest)
			// Twice what is there: a string of any length is copied a few times.
			size := max(windowSize, 2*len(rest))
			s.window = append(make([]byte, 0, size), rest...)
			s.summed = 0
		}
		at := len(s.window) - len(rest)
		k, err := s.r.Read(s.window[len(s.window):cap(s.window)])
		s.window = s.window[:len(s.window)+k]
		rest = s.window[at:]
		s.read += int64(k)
		if s.progress != nil && k > 0 {
			s.progress(s.read)
		}
		if err != nil && uint64(len(rest)) < n {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return rest, err
		}
	}
	return rest, nil
}

// consume adds what lies before rest to the checksum.
func (s *source) consume(rest []byte) {
	at := len(s.window) - len(rest)
	if s.sum {
		s.crc = Checksum(s.crc, s.window[s.summed:at])
	}
	s.summed = at
}

// offset is where rest begins in the stream.
func (s *source) offset(rest []byte) int64 { return s.read - int64(len(rest)) }
