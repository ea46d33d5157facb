package config

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// hostname is Redis's rule for announced host names.
func hostname(s string) error {
	if len(s) >= 256 {
		return errors.New("Hostnames must be less than 256 characters")
	}
	for _, r := range s {
		if !isAlnum(r) && r != '-' && r != '.' {
			return errors.New("Hostnames may only contain alphanumeric characters, hyphens or dots")
		}
	}
	return nil
}

// nodename is Redis's rule for human node names: printable, and nothing that
// means something in nodes.conf.
func nodename(s string) error {
	if len(s) >= 256 {
		return errors.New("Announced human node name must be less than 256 characters")
	}
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune("!#$%&()*+:;<>?@[]{|}~,", r) {
			return errors.New("Announced human node name contained invalid character")
		}
	}
	return nil
}

// address bounds what is printed as an address in CLUSTER NODES, where spaces,
// commas and '@' separate fields. Redis doesn't check; a name is allowed.
func address(s string) error {
	if len(s) >= 256 {
		return errors.New("addresses must be less than 256 characters")
	}
	for _, r := range s {
		if !isAlnum(r) && !strings.ContainsRune(".:-_%", r) {
			return errors.New("addresses may only contain alphanumeric characters and .:-_%")
		}
	}
	return nil
}

func zone(s string) error {
	if len(s) > 64 {
		return errors.New("availability zones may have at most 64 characters")
	}
	for _, r := range s {
		if !isAlnum(r) && !strings.ContainsRune("-_./", r) {
			return errors.New("availability zones may only contain alphanumeric characters and -_./")
		}
	}
	return nil
}

func isAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// seed is host:bus-port.
func seed(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return fmt.Errorf("seed '%s' is not host:bus-port", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("seed '%s' has no valid port", s)
	}
	return nil
}

func plainFile(s string) error {
	if s == "" || strings.ContainsRune(s, '/') {
		return errors.New("argument must be a file name, not a path")
	}
	return nil
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("argument can't be empty")
	}
	return nil
}

// oddVoters: an even number of voters adds a node that can fail and no
// failure that can be borne.
func oddVoters(at func(*Config) *int) value {
	v := integer(at, 0, 9)
	v.kind = "0 (by size) or an odd integer up to 9"
	parse := v.parse
	v.parse = func(c *Config, args []string) error {
		if err := parse(c, args); err != nil {
			return err
		}
		if n := *at(c); n != 0 && n%2 == 0 {
			return errors.New("argument must be odd, or 0 to choose by the size of the cluster")
		}
		return nil
	}
	return v
}

func percentiles(at func(*Config) *[]float64) value {
	return value{
		kind: "list of numbers 0..100",
		many: true,
		parse: func(c *Config, args []string) error {
			if len(args) == 1 && args[0] == "" {
				args = nil
			}
			const most = 64
			if len(args) > most {
				return errArgs
			}
			ps := make([]float64, 0, len(args))
			for _, a := range args {
				p, err := strconv.ParseFloat(a, 64)
				if err != nil || p != p {
					return errors.New("Invalid latency-tracking-info-percentiles parameters")
				}
				if p < 0 || p > 100 {
					return errors.New("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
				}
				ps = append(ps, p)
			}
			*at(c) = ps
			return nil
		},
		format: func(c *Config) string {
			words := make([]string, 0, len(*at(c)))
			for _, p := range *at(c) {
				words = append(words, strconv.FormatFloat(p, 'g', -1, 64))
			}
			return strings.Join(words, " ")
		},
	}
}

// outputLimits is client-output-buffer-limit: groups of class, hard limit, soft
// limit and seconds. Classes that aren't named keep theirs.
func outputLimits(at func(*Config) *OutputLimits) value {
	return value{
		kind: "(normal | replica | pubsub) hard soft seconds ...",
		many: true,
		parse: func(c *Config, args []string) error {
			if len(args) == 0 || len(args)%4 != 0 {
				return errors.New("Wrong number of arguments in buffer limit configuration.")
			}
			limits := *at(c)
			for ; len(args) > 0; args = args[4:] {
				var class *OutputLimit
				switch strings.ToLower(args[0]) {
				case "normal":
					class = &limits.Normal
				case "replica", "slave":
					class = &limits.Replica
				case "pubsub":
					class = &limits.PubSub
				default:
					return errors.New("Invalid client class specified in buffer limit configuration.")
				}
				hard, err1 := parseMemory(args[1])
				soft, err2 := parseMemory(args[2])
				seconds, err3 := strconv.ParseInt(args[3], 10, 32)
				if err1 != nil || err2 != nil || err3 != nil || seconds < 0 {
					return errors.New("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
				}
				*class = OutputLimit{Hard: hard, Soft: soft, SoftFor: time.Duration(seconds) * time.Second}
			}
			*at(c) = limits
			return nil
		},
		format: func(c *Config) string {
			l := at(c)
			plain := func(n int64) string { return strconv.FormatInt(n, 10) }
			// "slave" is the word that CONFIG GET has always answered.
			return strings.Join([]string{
				outputClass("normal", l.Normal, plain), outputClass("slave", l.Replica, plain), outputClass("pubsub", l.PubSub, plain)}, " ")
		},
		lines: func(c *Config) []string {
			l := at(c)
			return []string{
				outputClass("normal", l.Normal, formatMemory), outputClass("replica", l.Replica, formatMemory),
				outputClass("pubsub", l.PubSub, formatMemory)}
		},
	}
}

func outputClass(name string, l OutputLimit, size func(int64) string) string {
	return fmt.Sprintf("%s %s %s %d", name, size(l.Hard), size(l.Soft), int64(l.SoftFor/time.Second))
}
