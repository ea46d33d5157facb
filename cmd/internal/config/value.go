package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// value is how one directive's arguments are read into a Config and printed
// from it.
type value struct {
	kind string // for the documentation: "yes or no", "integer 0..65535"
	// many: any number of arguments. CONFIG SET then splits its one argument
	// at spaces.
	many bool
	// volatile: the value is a reference to something else, so that setting it to
	// what it is may be a change.
	volatile bool
	// quoted: CONFIG REWRITE prints the value in quotes.
	quoted bool
	parse  func(c *Config, args []string) error
	format func(c *Config) string
	// lines, where set, are the argument lists of the several lines that
	// CONFIG REWRITE writes.
	lines func(c *Config) []string
	// compact, where set, is how CONFIG REWRITE prints the value.
	compact func(c *Config) string
}

var (
	errArgs    = errors.New("wrong number of arguments")
	errBool    = errors.New("argument must be 'yes' or 'no'")
	errInteger = errors.New("argument couldn't be parsed into an integer")
	errOctal   = errors.New("argument couldn't be parsed as an octal number")
	errMemory  = errors.New("argument must be a memory value")
)

func errRange(lo, hi int64) error {
	return fmt.Errorf("argument must be between %d and %d inclusive", lo, hi)
}

func boolean(at func(*Config) *bool) value {
	return value{
		kind: "yes or no",
		parse: func(c *Config, args []string) error {
			switch strings.ToLower(args[0]) {
			case "yes":
				*at(c) = true
			case "no":
				*at(c) = false
			default:
				return errBool
			}
			return nil
		},
		format: func(c *Config) string {
			if *at(c) {
				return "yes"
			}
			return "no"
		},
	}
}

func integer[T ~int | ~int64](at func(*Config) *T, lo, hi int64) value {
	return value{
		kind: "integer " + bounds(lo, hi),
		parse: func(c *Config, args []string) error {
			n, err := parseInt(args[0])
			if err != nil {
				return err
			}
			if n < lo || n > hi {
				return errRange(lo, hi)
			}
			*at(c) = T(n)
			return nil
		},
		format: func(c *Config) string { return strconv.FormatInt(int64(*at(c)), 10) },
	}
}

// clamped is an integer that is moved into its range, as Redis does with hz.
func clamped(at func(*Config) *int, lo, hi int) value {
	v := integer(at, math.MinInt32, maxInt)
	v.kind = "integer " + bounds(int64(lo), int64(hi))
	parse := v.parse
	v.parse = func(c *Config, args []string) error {
		if err := parse(c, args); err != nil {
			return err
		}
		*at(c) = max(lo, min(hi, *at(c)))
		return nil
	}
	return v
}

func octal(at func(*Config) *uint32, hi uint32) value {
	return value{
		kind: "octal number",
		parse: func(c *Config, args []string) error {
			n, err := strconv.ParseUint(args[0], 8, 32)
			if err != nil {
				return errOctal
			}
			if uint32(n) > hi {
				return fmt.Errorf("argument must be between 0 and %o inclusive", hi)
			}
			*at(c) = uint32(n)
			return nil
		},
		format: func(c *Config) string { return strconv.FormatUint(uint64(*at(c)), 8) },
	}
}

// duration is a whole number of units.
func duration(at func(*Config) *time.Duration, unit time.Duration, lo, hi int64) value {
	name := map[time.Duration]string{time.Second: "seconds", time.Millisecond: "milliseconds"}[unit]
	hi = min(hi, maxInt64/int64(unit))
	return value{
		kind: name + " " + bounds(lo, hi),
		parse: func(c *Config, args []string) error {
			n, err := parseInt(args[0])
			if err != nil {
				return err
			}
			if n < lo || n > hi {
				return errRange(lo, hi)
			}
			*at(c) = time.Duration(n) * unit
			return nil
		},
		format: func(c *Config) string { return strconv.FormatInt(int64(*at(c)/unit), 10) },
	}
}

func memory(at func(*Config) *int64, lo, hi int64) value {
	return value{
		kind: "memory " + bounds(lo, hi),
		parse: func(c *Config, args []string) error {
			n, err := parseMemory(args[0])
			if err != nil {
				return err
			}
			if n < lo || n > hi {
				return errRange(lo, hi)
			}
			*at(c) = n
			return nil
		},
		format:  func(c *Config) string { return strconv.FormatInt(*at(c), 10) },
		compact: func(c *Config) string { return formatMemory(*at(c)) },
	}
}

// text is a string; check may be nil.
func text(at func(*Config) *string, check func(string) error) value {
	return value{
		kind:   "string",
		quoted: true,
		parse: func(c *Config, args []string) error {
			if check != nil {
				if err := check(args[0]); err != nil {
					return err
				}
			}
			*at(c) = args[0]
			return nil
		},
		format: func(c *Config) string { return *at(c) },
	}
}

func enum(at func(*Config) *string, words ...string) value {
	return value{
		kind: strings.Join(words, ", "),
		parse: func(c *Config, args []string) error {
			for _, w := range words {
				if strings.EqualFold(w, args[0]) {
					*at(c) = w
					return nil
				}
			}
			return fmt.Errorf("argument(s) must be one of the following: %s", strings.Join(words, ", "))
		},
		format: func(c *Config) string { return *at(c) },
	}
}

// list is any number of words, each checked; check may be nil.
func list(at func(*Config) *[]string, most int, check func(string) error) value {
	return value{
		kind: "list of words",
		many: true,
		parse: func(c *Config, args []string) error {
			if len(args) == 1 && args[0] == "" {
				args = nil
			}
			if len(args) > most {
				return fmt.Errorf("too many values specified, at most %d are possible", most)
			}
			for _, a := range args {
				// The words are printed and written back without quotes.
				if w, err := splitWords(a); err != nil || len(w) != 1 || w[0] != a {
					return fmt.Errorf("%q is no single word", a)
				}
				if check == nil {
					continue
				}
				if err := check(a); err != nil {
					return err
				}
			}
			*at(c) = append([]string(nil), args...)
			return nil
		},
		format: func(c *Config) string { return strings.Join(*at(c), " ") },
	}
}

// off stands for a feature that isn't there: the one value that asks for its
// absence is accepted.
func off(word, feature string) value {
	return value{
		kind:   "only " + strconv.Quote(word),
		many:   true,
		quoted: true,
		parse: func(_ *Config, args []string) error {
			if len(args) == 0 && word == "" || len(args) == 1 && strings.EqualFold(args[0], word) {
				return nil
			}
			return fmt.Errorf("only %q is possible: %s not available in this version of Conclave", word, feature)
		},
		format: func(*Config) string { return word },
	}
}

// onlyDefault is a value that has no effect yet: it is read, and refused unless
// it asks for what is done anyway.
func onlyDefault(v value, feature string) value {
	word := v.format(Default())
	v.kind = "only " + strconv.Quote(word)
	parse := v.parse
	v.parse = func(c *Config, args []string) error {
		if err := parse(c, args); err != nil {
			return err
		}
		if v.format(c) != word {
			return fmt.Errorf("only %q is possible: %s not available in this version of Conclave", word, feature)
		}
		return nil
	}
	return v
}

// parseInt accepts what Redis's string2ll does: a canonical decimal number.
func parseInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return 0, errInteger
	}
	return n, nil
}

// parseMemory reads a number of bytes with an optional unit: k, m, g are powers
// of 1000, kb, mb, gb of 1024.
func parseMemory(s string) (int64, error) {
	if s == "" {
		return 0, nil // as redis-server does
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	var unit int64
	switch strings.ToLower(s[digits:]) {
	case "", "b":
		unit = 1
	case "k":
		unit = 1000
	case "kb":
		unit = 1 << 10
	case "m":
		unit = 1000 * 1000
	case "mb":
		unit = 1 << 20
	case "g":
		unit = 1000 * 1000 * 1000
	case "gb":
		unit = 1 << 30
	default:
		return 0, errMemory
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil || n > maxInt64/unit {
		return 0, errMemory
	}
	return n * unit, nil
}

// formatMemory prints n in the largest unit that divides it.
func formatMemory(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}} {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// bounds prints a range for the documentation.
func bounds(lo, hi int64) string {
	if hi >= maxInt {
		return fmt.Sprintf("from %d", lo)
	}
	return fmt.Sprintf("%d..%d", lo, hi)
}
