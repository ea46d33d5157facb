package differential

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// allowance is a kind of reply that may differ, and why. What redis 7.0 and 7.2
// do differently is as in 7.2 here; redis-server is 7.0.15.
type allowance struct {
	command *regexp.Regexp
	why     string
	same    func(args []string, ours, theirs reply) bool
}

// allowances are those of a program.
func allowances(prog *program) []allowance {
	on := func(command, why string, same func(args []string, ours, theirs reply) bool) allowance {
		return allowance{regexp.MustCompile(`(?i)^(` + command + `)$`), why, same}
	}
	return []allowance{
		on(`KEYS|SCAN|HKEYS|HVALS|HGETALL|HSCAN|SMEMBERS|SSCAN|SINTER|SUNION|SDIFF|ZSCAN`, "the order is arbitrary", sameElements),
		on(`SCAN|HSCAN|SSCAN|ZSCAN`, "cursors are our own, and so is what a step shows", func(args []string, ours, theirs reply) bool {
			first := slices.Contains(args, "0")
			return (!first || !slices.Contains(args, "100000")) && len(ours.elems) == 2 && len(theirs.elems) == 2
		}),
		on(`SPOP|SRANDMEMBER|HRANDFIELD|ZRANDMEMBER|RANDOMKEY`, "random: of what isn't everything, the number", sameDrawn),
		on(`SORT|SORT_RO`, "elements of a set, and equal weights, have an arbitrary order", func(args []string, ours, theirs reply) bool {
			line := strings.ToUpper(strings.Join(args, " "))
			if !strings.Contains(line, " BY ") && !strings.HasPrefix(strings.ToLower(args[1]), "m") {
				return false
			}
			return strings.Contains(line, " LIMIT ") && len(ours.elems) == len(theirs.elems) || sameElements(args, ours, theirs)
		}),
		on(`SORT|SORT_RO`, "Redis takes an error that an earlier command left in errno for one of its own", func(_ []string, ours, theirs reply) bool {
			return ours.kind == '*' && strings.HasPrefix(theirs.text, "ERR One or more scores can't be converted into double")
		}),
		on(`TTL|PTTL|EXPIRETIME|PEXPIRETIME`, "the clocks are read at different instants", func(args []string, ours, theirs reply) bool {
			a, errA := strconv.ParseInt(ours.text, 10, 64)
			b, errB := strconv.ParseInt(theirs.text, 10, 64)
			tolerance := int64(3)
			if strings.HasPrefix(strings.ToUpper(args[0]), "P") {
				tolerance = 3000
			}
			return errA == nil && errB == nil && a > 0 && b > 0 && a-b <= tolerance && b-a <= tolerance
		}),
		on(`DUMP`, "the formats are of different versions; what they contain is compared", func(_ []string, ours, theirs reply) bool { return ours.null == theirs.null }),
		on(`OBJECT`, "7.2 has listpacks where 7.0 has quicklists and hash tables; clocks; Redis shares small integers by how they were made", func(args []string, ours, theirs reply) bool {
			switch strings.ToUpper(args[1]) {
			case "ENCODING":
				// Redis makes a skiplist of a sorted set that SORT reads, and copies a
				// restored HyperLogLog that is read.
				return ours.text == "listpack" && (theirs.text == "quicklist" || theirs.text == "hashtable") ||
					ours.text == "listpack" && theirs.text == "skiplist" && prog.has("SORT") ||
					ours.text == "embstr" && theirs.text == "raw" && prog.has("PF")
			case "REFCOUNT", "IDLETIME":
				return ours.kind == ':' && theirs.kind == ':'
			}
			return false
		}),
		on(`XINFO|XPENDING|XREADGROUP|XCLAIM|XAUTOCLAIM`, "7.2 has active-time and inactive, and makes a consumer whatever he gets; radix trees have other nodes; clocks", sameStreamReply),
		on(`XREAD|XREADGROUP`, "7.2 names the command in quotes", func(_ []string, ours, theirs reply) bool {
			return strings.HasPrefix(ours.text, "ERR Unbalanced ") && strings.HasPrefix(theirs.text, "ERR Unbalanced ")
		}),
		on(`LPOS|LREM`, "7.2 refuses the least integer, which it would have to negate", func(args []string, ours, _ reply) bool {
			return slices.Contains(args, "-9223372036854775808") && strings.Contains(ours.text, "value must between -9223372036854775807 and 9223372036854775807")
		}),
		on(`BITCOUNT|BITPOS`, "7.2 reads the arguments before it looks for the key", func(_ []string, ours, theirs reply) bool {
			return ours.kind == '-' && (theirs.text == "0" || theirs.text == "-1" || theirs.kind == '-')
		}),
		on(`ZRANK|ZREVRANK`, "7.2 has an option", func(args []string, ours, theirs reply) bool {
			return len(args) > 3 && (ours.kind != '-' || strings.HasPrefix(ours.text, "ERR syntax error")) && strings.HasPrefix(theirs.text, "ERR wrong number of arguments for") ||
				len(args) > 3 && strings.HasPrefix(theirs.text, "ERR Wrong number of args calling")
		}),
		on(`Z.*|BZ.*|GEO.*`, "7.2 writes doubles with as few digits as tell them apart", sameDoubles),
	}
}

// same compares replies to a command.
func same(allowed []allowance, args []string, ours, theirs reply) bool {
	if ours.String() == theirs.String() {
		return true
	}
	if strings.EqualFold(args[0], "EVAL") && len(args) > 3 {
		// A script that hands on what a command returned.
		inner := args[3:]
		if strings.HasPrefix(args[1], "return {") && len(ours.elems) > 0 && len(theirs.elems) > 0 {
			ours, theirs = ours.elems[0], theirs.elems[0]
		}
		if strings.HasPrefix(args[1], "local") && len(ours.elems) == 2 && len(theirs.elems) == 2 {
			ours, theirs = reply{kind: '-', text: ours.elems[1].text}, reply{kind: '-', text: theirs.elems[1].text}
		}
		return same(allowed, inner, ours, theirs)
	}
	for _, a := range allowed {
		if a.command.MatchString(args[0]) && a.same(args, ours, theirs) {
			return true
		}
	}
	return false
}

func sameElements(args []string, ours, theirs reply) bool {
	a, b := leaves(ours), leaves(theirs)
	if strings.HasPrefix(strings.ToUpper(args[0]), "Z") { // see sameDoubles
		a, b = shortestDoubles(a), shortestDoubles(b)
	}
	return ours.kind == theirs.kind && slices.Equal(a, b)
}

func shortestDoubles(all []string) []string {
	for i, s := range all {
		if f, err := strconv.ParseFloat(strings.Trim(s, `",`), 64); err == nil {
			all[i] = strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
	slices.Sort(all)
	return all
}

// leaves are all elements below a reply, sorted.
func leaves(r reply) (all []string) {
	if r.elems == nil {
		return []string{r.String()}
	}
	for _, e := range r.elems {
		all = append(all, leaves(e)...)
	}
	slices.Sort(all)
	return all
}

func sameDrawn(args []string, ours, theirs reply) bool {
	if ours.kind != theirs.kind || ours.null != theirs.null || len(ours.elems) != len(theirs.elems) {
		return false
	}
	if len(args) > 2 && args[2] == "100000" {
		return sameElements(args, ours, theirs)
	}
	return ours.kind != '-'
}

var (
	now = regexp.MustCompile(`:1[6-9]\d{11}\b`)
	// Fields of XINFO.
	treeNodes    = regexp.MustCompile(`"radix-tree-(nodes|keys)" :\d+ ?`)
	activeTime   = regexp.MustCompile(`"(active-time|inactive)" :-?\d+ ?`)
	seenTime     = regexp.MustCompile(`"seen-time" :-?\d+`)
	consumerIdle = regexp.MustCompile(`"idle" :\d+`)
	pendingIdle  = regexp.MustCompile(`" :\d+ (:\d+\])`)
)

func sameStreamReply(args []string, ours, theirs reply) bool {
	clean := func(r reply) string {
		s := r.String()
		for _, field := range []*regexp.Regexp{treeNodes, activeTime} {
			s = field.ReplaceAllString(s, "")
		}
		s = consumerIdle.ReplaceAllString(seenTime.ReplaceAllString(now.ReplaceAllString(s, "now"), "seen"), "idle")
		if strings.EqualFold(args[0], "XPENDING") && len(args) > 3 {
			s = pendingIdle.ReplaceAllString(s, `" idle $1`)
		}
		return strings.NewReplacer(" ]", "]", "Unbalanced XREAD ", "Unbalanced 'xread' ").Replace(s)
	}
	return clean(ours) == clean(theirs)
}

// sameDoubles takes texts for equal that are the same double, ours not having more
// digits.
func sameDoubles(args []string, ours, theirs reply) bool {
	if ours.kind != theirs.kind || len(ours.elems) != len(theirs.elems) {
		return false
	}
	for i := range ours.elems {
		if !sameDoubles(args, ours.elems[i], theirs.elems[i]) {
			return false
		}
	}
	if ours.text == theirs.text {
		return ours.null == theirs.null
	}
	a, errA := strconv.ParseFloat(ours.text, 64)
	b, errB := strconv.ParseFloat(theirs.text, 64)
	return errA == nil && errB == nil && a == b && (digits(ours.text) <= digits(theirs.text) || a == math.Trunc(a))
}

// digits counts those of a number before its exponent that aren't leading zeros.
func digits(number string) int {
	mantissa, _, _ := strings.Cut(number, "e")
	return len(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(mantissa), "0"))
}
