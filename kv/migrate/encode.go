package migrate

import "strconv"

// AppendRestore appends the command that creates a key at the target. With
// asking set, the target takes it for a slot that it is importing. ttl is in
// milliseconds, 0 = none.
func AppendRestore(b, key, payload []byte, ttl int64, replace, asking bool) []byte {
	name := "RESTORE"
	if asking {
		name = "RESTORE-ASKING"
	}
	var number [20]byte
	args := [...][]byte{[]byte(name), key, strconv.AppendInt(number[:0], ttl, 10), payload, []byte("REPLACE")}
	if replace {
		return appendCommand(b, args[:]...)
	}
	return appendCommand(b, args[:4]...)
}

func appendCommand(b []byte, args ...[]byte) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(args)), 10)
	b = append(b, '\r', '\n')
	for _, a := range args {
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(len(a)), 10)
		b = append(b, '\r', '\n')
		b = append(b, a...)
		b = append(b, '\r', '\n')
	}
	return b
}
