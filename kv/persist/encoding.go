package persist

// Encoding chooses among the layouts that Redis's format has for a type. The
// limits are those of the directives of the same names; a collection within
// them is written packed, as Redis would hold it.
type Encoding struct {
	// Version is the newest version that readers must know, 10 or 11. With 11
	// small sets are written as listpacks, and streams with the times at which
	// their consumers were last active.
	Version uint16
	// Compress allows LZF (rdbcompression).
	Compress bool

	// ListMaxListpackSize bounds a node of a list: by elements if positive, by
	// size if negative (-1 is 4 KB, -5 64 KB).
	ListMaxListpackSize int

	HashMaxListpackEntries, HashMaxListpackValue           int
	SetMaxIntsetEntries                                    int
	SetMaxListpackEntries, SetMaxListpackValue             int
	SortedSetMaxListpackEntries, SortedSetMaxListpackValue int

	// A node of a stream holds at most so many bytes and entries; 0: no limit.
	StreamNodeMaxBytes, StreamNodeMaxEntries int
}

// DefaultEncoding is what Redis 7 does unless it is told otherwise.
func DefaultEncoding() Encoding {
	return Encoding{
		Version: Version, Compress: true,
		ListMaxListpackSize:    -2,
		HashMaxListpackEntries: 512, HashMaxListpackValue: 64,
		SetMaxIntsetEntries:   512,
		SetMaxListpackEntries: 128, SetMaxListpackValue: 64,
		SortedSetMaxListpackEntries: 128, SortedSetMaxListpackValue: 64,
		StreamNodeMaxBytes: 4096, StreamNodeMaxEntries: 100,
	}
}

// encoder writes objects one after another.
type encoder struct {
	Encoding
	b []byte
	// spill takes what was written so far and returns an empty buffer. Without
	// it b holds everything.
	spill func(b []byte) []byte
	table lzfTable
	pack  []byte // the listpack being built, reused
}

// spillAt is how much is written before it is passed on.
const spillAt = 64 << 10

func (w *encoder) byte(c byte)     { w.b = append(w.b, c) }
func (w *encoder) length(n uint64) { w.b = appendLength(w.b, n) }

// string writes a string, and passes on what has gathered: between two strings
// is where a large collection can be cut.
func (w *encoder) string(s []byte) {
	w.b = w.appendString(w.b, s)
	if w.spill != nil && len(w.b) >= spillAt {
		w.b = w.spill(w.b)
	}
}
