package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A pattern describes commands of one kind:
//
//	WORD      itself, in any case      {name}   a value (values_test.go)
//	[ x ]     perhaps                  ( x | y )  one of
//	x +       one to four times        x *      up to four times
//
// Its parts are separated by spaces.
type node interface {
	append(g *generator, args []string) []string
}

type (
	literal  string
	value    func(g *generator) string
	sequence []node
	choice   []node
	optional struct{ node }
	repeated struct {
		node
		least int
	}
)

func (n literal) append(g *generator, args []string) []string {
	if g.rng.IntN(8) == 0 {
		return append(args, strings.ToLower(string(n)))
	}
	return append(args, string(n))
}

func (n value) append(g *generator, args []string) []string { return append(args, n(g)) }

func (n sequence) append(g *generator, args []string) []string {
	for _, part := range n {
		args = part.append(g, args)
	}
	return args
}

func (n choice) append(g *generator, args []string) []string {
	return n[g.rng.IntN(len(n))].append(g, args)
}

func (n optional) append(g *generator, args []string) []string {
	if g.rng.IntN(3) > 0 {
		return args
	}
	return n.node.append(g, args)
}

func (n repeated) append(g *generator, args []string) []string {
	times := n.least + g.rng.IntN(5-n.least)
	if g.rng.IntN(40) == 0 {
		times += g.rng.IntN(60) // enough for another encoding
	}
	for range times {
		args = n.node.append(g, args)
	}
	return args
}

// parse panics at a mistake in a pattern: patterns are constants.
func parse(pattern string, values map[string]value) node {
	p := &patternParser{words: strings.Fields(pattern), values: values}
	n := p.alternatives()
	if len(p.words) > 0 {
		panic(fmt.Sprintf("pattern %q: unexpected %q", pattern, p.words[0]))
	}
	return n
}

type patternParser struct {
	words  []string
	values map[string]value
}

func (p *patternParser) alternatives() node {
	var all choice
	for {
		all = append(all, p.sequence())
		if len(p.words) == 0 || p.words[0] != "|" {
			break
		}
		p.words = p.words[1:]
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

func (p *patternParser) sequence() node {
	var s sequence
	for len(p.words) > 0 {
		word := p.words[0]
		switch {
		case word == "|" || word == ")" || word == "]":
			return s
		case word == "(" || word == "[":
			p.words = p.words[1:]
			inner := p.alternatives()
			if word == "[" {
				inner = optional{inner}
			}
			s = append(s, inner) // its end is taken below
		case word == "+" || word == "*":
			least := 0
			if word == "+" {
				least = 1
			}
			s[len(s)-1] = repeated{s[len(s)-1], least}
		case word[0] == '{':
			v, ok := p.values[strings.Trim(word, "{}")]
			if !ok {
				panic("no value " + word)
			}
			s = append(s, v)
		default:
			s = append(s, literal(word))
		}
		p.words = p.words[1:]
	}
	return s
}

// generator makes commands.
type generator struct {
	rng *rand.Rand
	// ms is about the time that the newest stream IDs have.
	ms int
}

func (g *generator) of(s ...string) string { return s[g.rng.IntN(len(s))] }

// one is true once in n.
func (g *generator) one(n int) bool { return g.rng.IntN(n) == 0 }

// spoil makes a mistake in a command.
func (g *generator) spoil(args []string) []string {
	switch strings.ToUpper(args[0]) {
	case "LREM", "XSETID", "SPOP": // 7.0 takes what 7.2 refuses; random
		return args
	}
	i := g.rng.IntN(len(args))
	if len(args) > 1 && strings.HasPrefix(args[1], "y") { // all scores must stay 0
		return args[:max(1, i)]
	}
	switch g.rng.IntN(5) {
	case 0:
		return args[:max(1, len(args)-1)]
	case 1:
		return append(args, g.of("x", "1", "COUNT", "WITHSCORES", "NX", ""))
	case 2:
		if i > 0 {
			return append(args[:i:i], args[i+1:]...)
		}
	case 3:
		j := g.rng.IntN(len(args))
		if i > 0 && j > 0 {
			args[i], args[j] = args[j], args[i]
		}
	default:
		if i > 0 {
			args[i] = g.of("", "x", "-1", "0", "nan", "inf", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1.5", "(1", "[a", "+", "-", "$", ">")
		}
	}
	return args
}
