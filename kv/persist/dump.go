package persist

import "encoding/binary"

// footer is the version (2 bytes) and the checksum (8 bytes) behind an object.
const footer = 2 + 8

// AppendDump appends the payload of DUMP for v, by Redis's default encoding.
func AppendDump(b []byte, v Value) []byte { return DefaultEncoding().AppendDump(b, v) }

// AppendDump appends the payload of DUMP for v. The version it names is the
// oldest that can hold the value, but not older than [Version].
func (e Encoding) AppendDump(b []byte, v Value) []byte {
	start := len(b)
	w := encoder{Encoding: e, b: b}
	kind := v.layout(&e)
	w.byte(kind)
	v.encode(&w, kind)
	b = binary.LittleEndian.AppendUint16(w.b, since(kind))
	return binary.LittleEndian.AppendUint64(b, Checksum(0, b[start:]))
}

// ParseDump reads a payload of DUMP. A string in it, also a compressed one, may
// be maxString bytes long. The error is an [ErrChecksum] or [ErrFormat]; the
// first is found before a byte of the object is looked at. Values of modules
// and empty collections are an [ErrFormat].
//
// Redis ignores bytes between the end of the object and the version. No writer
// leaves any, so here they are a malformed object.
func ParseDump(p []byte, maxString int) (Value, error) {
	if len(p) < footer {
		return nil, ErrChecksum
	}
	body, foot := p[:len(p)-footer], p[len(p)-footer:]
	if binary.LittleEndian.Uint16(foot) > MaxVersion {
		return nil, ErrChecksum
	}
	if Checksum(0, p[:len(p)-8]) != binary.LittleEndian.Uint64(foot[2:]) {
		return nil, ErrChecksum
	}
	d := decoder{rest: body, maxString: maxString}
	kind, err := d.byte()
	if err != nil {
		return nil, err
	}
	v, err := d.value(kind)
	if err != nil {
		return nil, err
	}
	if len(d.rest) != 0 {
		return nil, malformed("bytes behind the value")
	}
	return v, nil
}
