package repl

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// markLen is the length of the mark behind data whose length wasn't told.
const markLen = 40

// source is where the data of a full synchronisation are read from: the
// connection, or a file that they are put into first. length is 0 if it isn't
// known.
func (l *link) source(mark string, size int) (src io.Reader, length int64, closeFile func(), err error) {
	set := l.n.cfg.Settings()
	if set.LoadInto == DisklessOnEmpty && l.n.empty() {
		if mark != "" {
			return l.r, 0, func() {}, nil
		}
		return io.LimitReader(l.r, int64(size)), int64(size), func() {}, nil
	}
	file, err := os.CreateTemp(set.Dir, "temp-sync-*.rdb")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("file for the primary's data: %w", err)
	}
	_ = os.Remove(file.Name()) // it is used through the descriptor alone
	length = int64(size)
	if mark != "" {
		length, err = copyMarked(file, l.r, mark)
	} else {
		_, err = io.CopyN(file, l.r, length)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, nil, errors.Join(err, file.Close())
	}
	return io.LimitReader(file, length), length, func() { _ = file.Close() }, nil
}

// empty reports whether there are no keys.
func (n *Node) empty() bool {
	for db := range n.cfg.Store.Databases() {
		if n.cfg.Store.DBStats(db).Keys > 0 {
			return false
		}
	}
	return true
}

// copyMarked copies data up to the mark, behind which nothing follows yet, and
// returns their length.
func copyMarked(dst io.Writer, src io.Reader, mark string) (int64, error) {
	b := make([]byte, 64<<10)
	var size int64
	have := 0 // of b: the last bytes, which may be of the mark
	for {
		n, err := src.Read(b[have:])
		have += n
		if have >= markLen && string(b[have-markLen:have]) == mark {
			n, werr := dst.Write(b[:have-markLen])
			return size + int64(n), werr
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		if have > markLen {
			n, err := dst.Write(b[:have-markLen])
			if err != nil {
				return 0, err
			}
			size += int64(n)
			have = copy(b, b[have-markLen:have])
		}
	}
}

func checkMark(src io.Reader, mark string) error {
	var b [markLen]byte
	if _, err := io.ReadFull(src, b[:]); err != nil {
		return err
	}
	if string(b[:]) != mark {
		return errors.New("the data don't end with their mark")
	}
	return nil
}
