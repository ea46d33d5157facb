package persist

import "encoding/binary"

// A zipmap is how Redis up to 2.4 packed a hash: the number of fields, then for
// each its name, its value and unused bytes behind the value, then 0xff.
const (
	zipmapFar       = 0xfe // four bytes of length follow
	zipmapEnd       = 0xff
	zipmapUncounted = 0xfe
)

// zipmapStrings are names and values by turns.
func zipmapStrings(p []byte) (s [][]byte, err error) {
	const bad = malformed("a zipmap")
	if len(p) < 2 || p[len(p)-1] != zipmapEnd {
		return nil, bad
	}
	count := p[0]
	p = p[1 : len(p)-1]
	for len(p) > 0 {
		name, rest, ok := zipmapString(p, 0)
		if !ok || len(rest) == 0 {
			return nil, bad
		}
		value, rest, ok := zipmapString(rest, 1)
		if !ok {
			return nil, bad
		}
		s = append(s, name, value)
		p = rest
	}
	if count < zipmapUncounted && int(count) != len(s)/2 {
		return nil, malformed("a zipmap's number of fields")
	}
	return s, nil
}

// zipmapString reads a length, a byte that says how many bytes behind the
// string are unused (if free is 1), and the string.
func zipmapString(p []byte, free int) (s, rest []byte, ok bool) {
	n, head := uint64(p[0]), 1
	switch p[0] {
	case zipmapEnd:
		return nil, nil, false
	case zipmapFar:
		if len(p) < 5 {
			return nil, nil, false
		}
		n, head = uint64(binary.LittleEndian.Uint32(p[1:])), 5
	}
	if len(p) < head+free {
		return nil, nil, false
	}
	unused := uint64(0)
	if free > 0 {
		unused = uint64(p[head])
	}
	p = p[head+free:]
	if n+unused > uint64(len(p)) {
		return nil, nil, false
	}
	return p[:n:n], p[n+unused:], true
}
