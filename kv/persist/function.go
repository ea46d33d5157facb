package persist

import "encoding/binary"

// AppendFunctions appends the payload of FUNCTION DUMP for libraries of functions,
// given by their source, by Redis's default encoding.
func AppendFunctions(b []byte, sources [][]byte) []byte {
	start := len(b)
	w := encoder{Encoding: DefaultEncoding(), b: b}
	for _, s := range sources {
		w.byte(opFunction)
		w.string(s)
	}
	b = binary.LittleEndian.AppendUint16(w.b, Version)
	return binary.LittleEndian.AppendUint64(b, Checksum(0, b[start:]))
}

// ParseFunctions reads such a payload. A source may be maxString bytes long. The
// error is an [ErrChecksum] or [ErrFormat].
func ParseFunctions(p []byte, maxString int) (sources [][]byte, err error) {
	if len(p) < footer {
		return nil, ErrChecksum
	}
	body, foot := p[:len(p)-footer], p[len(p)-footer:]
	if binary.LittleEndian.Uint16(foot) > MaxVersion || Checksum(0, p[:len(p)-8]) != binary.LittleEndian.Uint64(foot[2:]) {
		return nil, ErrChecksum
	}
	d := decoder{rest: body, maxString: maxString}
	for len(d.rest) > 0 {
		op, err := d.byte()
		if err != nil {
			return nil, err
		}
		if op != opFunction {
			return nil, malformed("not a library of functions")
		}
		s, err := d.string()
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, nil
}
