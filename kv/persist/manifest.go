package persist

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// PartType is what a file of an append-only file is to it.
type PartType byte

// The parts, as the manifest names them.
const (
	BasePart        PartType = 'b' // a snapshot, or the commands that make one
	IncrementalPart PartType = 'i' // commands since then
	HistoryPart     PartType = 'h' // superseded, to be removed
)

// Part is one file of an append-only file.
type Part struct {
	Name string // without directory
	Seq  int64  // counted per type, from 1
	Type PartType
}

// Manifest lists the parts of an append-only file. The data are the base, then
// the increments in their order.
type Manifest struct {
	Base       *Part
	Increments []Part
	Superseded []Part
}

// longestManifestLine is what Redis reads, without the line's end.
const longestManifestLine = 1023

// ParseManifest reads a manifest. The errors are Redis's.
func ParseManifest(text []byte) (m Manifest, err error) {
	if len(text) == 0 {
		return m, malformed("Found an empty AOF manifest")
	}
	for number := 1; len(text) > 0; number++ {
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		text = rest
		if len(line) > 0 && line[0] == '#' {
			continue
		}
		if !ended || len(line) > longestManifestLine {
			err = malformed("The AOF manifest file contains too long line")
		} else {
			err = m.add(strings.Trim(string(line), " \t\r"))
		}
		if err != nil {
			return Manifest{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return m, nil
}

func (m *Manifest) add(line string) error {
	p, err := parsePart(line)
	if err != nil {
		return err
	}
	switch p.Type {
	case BasePart:
		if m.Base != nil {
			return malformed("Found duplicate base file information")
		}
		m.Base = &p
	case HistoryPart:
		m.Superseded = append(m.Superseded, p)
	case IncrementalPart:
		if n := len(m.Increments); n > 0 && p.Seq <= m.Increments[n-1].Seq {
			return malformed("Found a non-monotonic sequence number")
		}
		m.Increments = append(m.Increments, p)
	default:
		return malformed("Unknown AOF file type")
	}
	return nil
}

// parsePart reads pairs of a key and a value. Keys of later versions are passed
// over.
func parsePart(line string) (p Part, err error) {
	const bad = malformed("Invalid AOF manifest file format")
	words, ok := splitWords(line)
	if !ok || len(words) < 6 || len(words)%2 != 0 {
		return p, bad
	}
	for ; len(words) > 0; words = words[2:] {
		switch value := words[1]; strings.ToLower(words[0]) {
		case "file":
			if strings.ContainsAny(value, "/\\\x00") || value == "." || value == ".." {
				return p, malformed("File can't be a path, just a filename")
			}
			p.Name = value
		case "seq":
			if p.Seq, err = strconv.ParseInt(value, 10, 64); err != nil || p.Seq < 1 {
				return p, bad
			}
		case "type":
			if len(value) != 1 {
				return p, bad
			}
			p.Type = PartType(value[0])
		}
	}
	if p.Name == "" || p.Seq == 0 || p.Type == 0 {
		return p, bad
	}
	return p, nil
}

// splitWords separates words as Redis's configuration does: by blanks, with
// double quotes that know escapes and single quotes that don't.
func splitWords(line string) (words []string, ok bool) {
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return words, true
		}
		var word string
		switch line[0] {
		case '"':
			n := quotedLength(line)
			if n == 0 {
				return nil, false
			}
			if word, ok = unquote(line[1 : n-1]); !ok {
				return nil, false
			}
			line = line[n:]
		case '\'':
			end := strings.IndexByte(line[1:], '\'')
			if end < 0 {
				return nil, false
			}
			word, line = line[1:1+end], line[end+2:]
		default:
			end := strings.IndexAny(line, " \t")
			if end < 0 {
				end = len(line)
			}
			word, line = line[:end], line[end:]
		}
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			return nil, false // something clings to the closing quote
		}
		words = append(words, word)
	}
}

// quotedLength is the length of the quoted text at the beginning, with its
// quotes, or 0.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		switch c := s[i]; c {
		case 'x':
			if i+2 < len(s) {
				if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					b.WriteByte(byte(n))
					i += 2
					continue
				}
			}
			b.WriteByte('x')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'b':
			b.WriteByte('\b')
		case 'a':
			b.WriteByte('\a')
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// Append appends the text of the manifest.
func (m Manifest) Append(b []byte) []byte {
	if m.Base != nil {
		b = m.Base.append(b)
	}
	for _, p := range m.Superseded {
		b = p.append(b)
	}
	for _, p := range m.Increments {
		b = p.append(b)
	}
	return b
}

func (p Part) append(b []byte) []byte {
	return fmt.Appendf(b, "file %s seq %d type %c\n", quoteName(p.Name), p.Seq, p.Type)
}

// quoteName puts quotes around a name that couldn't be read without.
func quoteName(s string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\' }
	quote := s == ""
	for i := range len(s) {
		quote = quote || !plain(s[i])
	}
	if !quote {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c < 0x7f:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "\\x%02x", c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
