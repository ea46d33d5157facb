package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// argument is one element of a command's syntax as COMMAND DOCS shows it. The
// grammar that Spec.Args is written in is that of redis-cli's help:
//
//	key            a value           KEYWORD        a literal word
//	[x]            optional          (x) or <x>     grouped
//	x | y          one of            x ...          one or more
//	x [x ...]      one or more, too  KEYWORD x      x, announced by the word
type argument struct {
	name, token string
	kind        argKind
	optional    bool
	multiple    bool
	sub         []argument
}

type argKind string

const (
	argString  argKind = "string"
	argInteger argKind = "integer"
	argDouble  argKind = "double"
	argKey     argKind = "key"
	argPattern argKind = "pattern"
	argTime    argKind = "unix-time"
	argToken   argKind = "pure-token"
	argOneOf   argKind = "oneof"
	argBlock   argKind = "block"
)

// grammar is the state of one parse.
type grammar struct {
	words []string
	depth int
}

// parseArgs parses Spec.Args.
func parseArgs(text string) ([]argument, error) {
	g := &grammar{words: grammarWords(text)}
	args, err := g.alternatives("")
	if err != nil {
		return nil, fmt.Errorf("grammar %q: %w", text, err)
	}
	return args, nil
}

func grammarWords(text string) []string {
	for _, mark := range []string{"[", "]", "(", ")", "<", ">", "|", "..."} {
		text = strings.ReplaceAll(text, mark, " "+mark+" ")
	}
	return strings.Fields(text)
}

// alternatives parses sequences with | between them, up to the closing word.
func (g *grammar) alternatives(closing string) ([]argument, error) {
	if g.depth++; g.depth > 16 {
		return nil, errors.New("nested too deeply")
	}
	defer func() { g.depth-- }()
	var alts []argument
	for {
		seq, err := g.sequence(closing != "")
		if err != nil {
			return nil, err
		}
		word := ""
		if len(g.words) > 0 {
			word, g.words = g.words[0], g.words[1:]
		}
		switch {
		case word == closing && alts == nil:
			return seq, nil
		case word != closing && word != "|":
			return nil, fmt.Errorf("%q where %q was expected", word, closing)
		case len(seq) == 0:
			return nil, errors.New("empty alternative")
		}
		alts = append(alts, together(seq))
		if word == closing {
			return []argument{{name: joinNames(alts, "-or-"), kind: argOneOf, sub: alts}}, nil
		}
	}
}

// sequence parses elements up to the end, a bar or a closing mark.
func (g *grammar) sequence(group bool) (seq []argument, err error) {
	for len(g.words) > 0 {
		word := g.words[0]
		if word == "|" || word == "]" || word == ")" || word == ">" {
			break
		}
		g.words = g.words[1:]
		switch word {
		case "...":
			if len(seq) == 0 {
				return nil, errors.New("nothing before ...")
			}
			seq[len(seq)-1].multiple = true
			continue
		case "[":
			inner, err := g.alternatives("]")
			if err != nil {
				return nil, err
			}
			if n := repeats(seq, inner); n > 0 {
				again := together(slices.Clone(seq[len(seq)-n:]))
				again.multiple = true
				seq = append(seq[:len(seq)-n], again)
				continue
			}
			if len(inner) == 0 {
				return nil, errors.New("empty option")
			}
			a := together(inner)
			a.optional = true
			seq = append(seq, a)
		case "(", "<":
			inner, err := g.alternatives(map[string]string{"(": ")", "<": ">"}[word])
			if err != nil {
				return nil, err
			}
			if len(inner) == 0 {
				return nil, errors.New("empty group")
			}
			seq = append(seq, together(inner))
		default:
			seq = append(seq, wordArgument(word))
		}
		// At the top a literal announces just the value behind it; in a group,
		// all that follows: together sees to that.
		if n := len(seq); !group && n > 1 && seq[n-2].kind == argToken && seq[n-1].token == "" && seq[n-1].sub == nil {
			seq[n-1].token = seq[n-2].token
			seq = slices.Delete(seq, n-2, n-1)
		}
	}
	return seq, nil
}

// together makes one argument of a sequence.
func together(seq []argument) argument {
	if len(seq) == 1 {
		return seq[0]
	}
	if seq[0].kind == argToken && !seq[0].optional {
		if len(seq) == 2 && seq[1].token == "" && !seq[1].optional && seq[1].kind != argOneOf && seq[1].kind != argBlock {
			a := seq[1]
			a.token = seq[0].token
			return a
		}
		return argument{name: seq[0].name, token: seq[0].token, kind: argBlock, sub: seq[1:]}
	}
	return argument{name: joinNames(seq, "-"), kind: argBlock, sub: seq}
}

// repeats reports how many arguments at the end of seq the option inner
// repeats: 2 for "key value" and "[key value ...]".
func repeats(seq, inner []argument) int {
	n := len(inner)
	if n == 0 || n > len(seq) || !inner[n-1].multiple {
		return 0
	}
	for i, a := range seq[len(seq)-n:] {
		if a.name != inner[i].name {
			return 0
		}
	}
	return n
}

func joinNames(args []argument, sep string) string {
	names := make([]string, len(args))
	for i := range args {
		names[i] = args[i].name
	}
	return strings.Join(names, sep)
}

func wordArgument(word string) argument {
	lower := strings.ToLower(word)
	if word != lower || strings.Trim(word, `*~=$+-"`) == "" {
		return argument{name: lower, token: strings.Trim(word, `"`), kind: argToken}
	}
	return argument{name: word, kind: kindOf(word)}
}

// kindOf tells the type of a value by its name.
func kindOf(name string) argKind {
	switch name {
	case "key", "source", "destination", "newkey", "destkey", "numkey", "key1", "key2":
		return argKey
	case "count", "seconds", "milliseconds", "decrement", "offset", "start", "end", "stop", "db", "index", "destination-db",
		"index1", "index2", "numkeys", "cursor", "timeout", "port", "ttl", "numreplicas", "slot", "start-slot", "end-slot",
		"len", "min-match-len", "frequency", "cluster-bus-port", "config-epoch", "version", "protover", "increment", "client-id":
		return argInteger
	case "score", "longitude", "latitude", "radius", "weight", "min", "max":
		return argDouble
	case "pattern":
		return argPattern
	case "unix-time-seconds", "unix-time-milliseconds", "timestamp":
		return argTime
	}
	return argString
}
