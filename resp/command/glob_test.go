package command_test

import (
	"strings"
	"testing"
	"time"

	"conclave/resp/command"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"*c", "abc", true},
		{"a*c", "abc", true}, {"a*b", "abc", false}, {"a**c", "abbc", true}, {"?", "a", true}, {"?", "", false}, {"??", "a", false},
		{"h?llo", "hello", true}, {"h[ae]llo", "hallo", true}, {"h[ae]llo", "hillo", false}, {"h[^e]llo", "hallo", true},
		{"h[^e]llo", "hello", false}, {"h[a-c]llo", "hbllo", true}, {"h[c-a]llo", "hbllo", true}, {"h[a-c]llo", "hdllo", false},
		{`h\?llo`, "h?llo", true}, {`h\?llo`, "hello", false}, {`a\`, `a\`, true}, {`[\]]`, "]", true}, {"[]a]", "a]", false},
		{"[a", "a", true}, {"[a", "b", false}, {"[a-", "-", true}, {"[^", "x", true}, {"[", "x", false}, {"a[b", "ab", true},
		{"*.*.*", "a.b.c", true}, {"*a*b*c", "xxaxxbxxc", true}, {"*a*b*c", "xxaxxbxx", false}, {"ab*", "a", false},
		{"ABC", "abc", false}, {"*[0-9]", "key:7", true},
	} {
		if got := command.Glob([]byte(tt.pattern), []byte(tt.s), false); got != tt.want {
			t.Errorf("Glob(%q, %q) = %v", tt.pattern, tt.s, got)
		}
	}
	for _, p := range []string{"aBc", "A[a-C]?", `\A*`} {
		if !command.Glob([]byte(p), []byte("abC"), true) {
			t.Errorf("%q doesn't match abC without case", p)
		}
	}
}

// A pattern of many stars takes Redis's recursive matcher exponential time.
func TestGlobOfManyStars(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	if command.Glob([]byte(strings.Repeat("*a", 50)+"b"), []byte(strings.Repeat("a", 5000)), false) {
		t.Error("it matches")
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

// naive is the definition.
func naive(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*':
		return naive(p[1:], s) || (s != "" && naive(p, s[1:]))
	case s == "":
		return false
	case p[0] == '?' || p[0] == s[0]:
		return naive(p[1:], s[1:])
	}
	return false
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?", "aabc")
	f.Add("[^a-\\]", "[")
	f.Fuzz(func(t *testing.T, p, s string) {
		got := command.Glob([]byte(p), []byte(s), false)
		if len(p) > 12 || len(s) > 12 || strings.ContainsAny(p, `[\`) {
			return
		}
		if want := naive(p, s); got != want {
			t.Fatalf("Glob(%q, %q) = %v", p, s, got)
		}
	})
}
