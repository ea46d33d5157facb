package config

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// FuzzFile reads arbitrary files, including ones that include one another. What
// is accepted must survive being written and read again.
func FuzzFile(f *testing.F) {
	f.Add("port 7001\nbind 127.0.0.1 -::1\n# x\nrequirepass \"a\\x00\\\"b\" \n")
	f.Add("client-output-buffer-limit normal 1gb 2k 3 slave 0 0 0\nsave \"\"\nunixsocketperm 777\n")
	f.Add("include self\ninclude *\ncluster-seeds [::1]:1 a:2\nlatency-tracking-info-percentiles 1 2.5 1e1\n")
	f.Add("loglevel 'it\\'s\nmaxmemory 9223372036854775807\nhz -5")
	table := newTable()
	f.Fuzz(func(t *testing.T, content string) {
		if len(content) > 4096 {
			return // up to maxIncludes times as much is read
		}
		c := Default()
		r := &reader{table: table, config: c,
			open: func(path string) (io.ReadCloser, error) {
				if path != "self" {
					return nil, errors.New("no such file")
				}
				return io.NopCloser(strings.NewReader(content)), nil
			},
			glob: func(string) ([]string, error) { return []string{"self", "self"}, nil },
		}
		if r.file("self", 0) != nil {
			return
		}
		written := table.rewrite(content, c)
		again := Default()
		r = newReader(table, again)
		r.open = func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
		r.glob = func(string) ([]string, error) { return nil, nil }
		if err := r.read(strings.NewReader(written), "rewritten", 0); err != nil {
			t.Fatalf("%v in\n%s", err, written)
		}
		if !sameValues(table, c, again) {
			t.Fatalf("differs after rewriting:\n%s", written)
		}
	})
}

// FuzzWords: quoting and splitting are inverse.
func FuzzWords(f *testing.F) {
	f.Add("a \"b\\x41\" 'c' d", "x\n\x00\"")
	f.Fuzz(func(t *testing.T, line, word string) {
		if words, err := splitWords(line); err == nil {
			var quoted []string
			for _, w := range words {
				quoted = append(quoted, quoteWord(w))
			}
			again, err := splitWords(strings.Join(quoted, " "))
			if err != nil || len(again) != len(words) || len(words) > 0 && !reflect.DeepEqual(again, words) {
				t.Fatalf("%q became %q (%v)", words, again, err)
			}
		}
		if got, err := splitWords(quoteWord(word)); err != nil || len(got) != 1 || got[0] != word {
			t.Fatalf("%q became %q (%v)", word, got, err)
		}
	})
}

func sameValues(t *table, a, b *Config) bool {
	for _, d := range t.rows {
		if d.value.format(a) != d.value.format(b) {
			return false
		}
	}
	return true
}
