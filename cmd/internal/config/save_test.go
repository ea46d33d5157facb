package config

import "testing"

// Lines of a file add up, after the first has replaced the default ones; CONFIG
// SET replaces all.
func TestSavePoints(t *testing.T) {
	get := func(s *Store) string { return s.Match("save")[0][1] }
	for _, x := range []struct{ file, want string }{
		{"", "3600 1 300 100 60 10000"},
		{"save 900 1\nsave 60 5\n", "900 1 60 5"},
		{"save 900 1 60 5\n", "900 1 60 5"},
		{"save \"\"\n", ""},
		{"save 900 1\nsave \"\"\nsave 60 5\n", "60 5"},
	} {
		s, err := load(t, map[string]string{"a.conf": x.file}, "", "a.conf")
		if err != nil {
			t.Fatal(err)
		}
		if got := get(s); got != x.want {
			t.Errorf("%q: got %q, want %q", x.file, got, x.want)
		}
		for _, set := range []string{"60 1", "30 2 10 3", "", "5 5"} {
			if err := s.Set([]Pair{{"save", set}}); err != nil {
				t.Fatal(err)
			}
			if got := get(s); got != set {
				t.Errorf("set to %q it is %q", set, got)
			}
		}
	}
}
