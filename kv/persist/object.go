package persist

import "errors"

// Versions of the format, as Redis numbers them.
const (
	// Version is what is written: that of Redis 7.0. A value that needs a newer
	// one says so.
	Version = 10
	// MaxVersion is the newest that is read: that of Redis 7.2.
	MaxVersion = 11
)

var (
	// ErrFormat says that an object is malformed, of a type that isn't known
	// here, or larger than the caller allows.
	ErrFormat = errors.New("bad data format")
	// ErrChecksum says that a payload is damaged or of a newer version.
	ErrChecksum = errors.New("payload version or checksum are wrong")
)

// malformed is an [ErrFormat] that says what is wrong.
type malformed string

func (m malformed) Error() string { return ErrFormat.Error() + ": " + string(m) }
func (malformed) Unwrap() error   { return ErrFormat }

// errEmpty is a collection without elements. Redis never keeps one, but old
// versions could write one: RESTORE refuses it, files are read without it.
const errEmpty = malformed("a collection without elements")

// Value is a decoded object, or one to be encoded: a [String], [List], [Set],
// [Hash], [SortedSet] or [*Stream].
type Value interface {
	// layout is the type byte of the form in which the value will be written.
	layout(e *Encoding) byte
	// encode writes the body in that form.
	encode(w *encoder, kind byte)
}

// Type bytes: one for each way in which a type of value is laid out. A new one
// is added here and to decoder.value; its code stands in the file of its type.
const (
	typeString        = 0
	typeList          = 1
	typeSet           = 2
	typeSortedSetText = 3 // scores as decimal text
	typeHash          = 4
	typeSortedSet     = 5
	typeModule1       = 6
	typeModule2       = 7

	typeHashZipmap        = 9
	typeListZiplist       = 10
	typeSetIntset         = 11
	typeSortedSetZiplist  = 12
	typeHashZiplist       = 13
	typeListQuicklist     = 14
	typeStream1           = 15
	typeHashListpack      = 16
	typeSortedSetListpack = 17
	typeListQuicklist2    = 18
	typeStream2           = 19
	typeSetListpack       = 20
	typeStream3           = 21
)

// since is the version whose readers understand a layout, or [Version] if
// older ones do.
func since(kind byte) uint16 {
	if kind >= typeSetListpack {
		return 11
	}
	return Version
}

// value reads the body of an object of the given type.
func (d *decoder) value(kind byte) (Value, error) {
	switch kind {
	case typeString:
		s, err := d.string()
		if err != nil {
			return nil, err
		}
		return String(s), nil
	case typeList, typeListZiplist, typeListQuicklist, typeListQuicklist2:
		return d.list(kind)
	case typeSet, typeSetIntset, typeSetListpack:
		return d.set(kind)
	case typeSortedSetText, typeSortedSet, typeSortedSetZiplist, typeSortedSetListpack:
		return d.sortedSet(kind)
	case typeHash, typeHashZipmap, typeHashZiplist, typeHashListpack:
		return d.hash(kind)
	case typeStream1, typeStream2, typeStream3:
		return d.stream(kind)
	}
	return nil, malformed("an unknown type of value")
}
