package commands

import (
	"bytes"
	"slices"

	"conclave/kv"
	"conclave/resp/command"
)

// weighed is an element with what it is sorted by.
type weighed struct {
	element []byte
	score   float64
	text    []byte // with ALPHA; nil if BY found nothing
}

// sortElements sorts elements in place, by themselves or by what BY names. ok is
// false if one has no number to be sorted by. Elements of a list that compare as
// equal keep their order.
func (h *handlers) sortElements(c *command.Ctx, o *sortOptions, elements [][]byte, list bool) (ok bool) {
	all := make([]weighed, len(elements))
	p := h.patterns(c)
	ok = true
	for i, e := range elements {
		w := &all[i]
		w.element = e
		by, there := e, true
		if o.by != nil {
			by, there = p.lookup(o.by, e)
		}
		switch {
		case !there:
		case !o.alpha:
			var isNumber bool
			w.score, isNumber = parseWeight(by)
			ok = ok && isNumber
		case o.by != nil:
			w.text = append(make([]byte, 0, len(by)), by...)
		default:
			w.text = e
		}
	}
	if !ok {
		return false
	}
	compare := func(a, b weighed) int { return compareScores(a, b) }
	if o.alpha {
		compare = func(a, b weighed) int { return compareTexts(a, b, o.store == nil, o.by == nil || !list) }
	}
	if o.desc {
		ascending := compare
		compare = func(a, b weighed) int { return -ascending(a, b) }
	}
	if o.alpha && list {
		slices.SortStableFunc(all, compare)
	} else {
		slices.SortFunc(all, compare)
	}
	for i := range all {
		elements[i] = all[i].element
	}
	return true
}

// parseWeight reads a number as C's strtod does, nothing being zero.
func parseWeight(b []byte) (f float64, ok bool) {
	b = cutZero(b)
	if len(b) == 0 {
		return 0, true
	}
	return parseDouble(bytes.TrimLeft(b, " \t\n\v\f\r"))
}

// cutZero is a text up to its first zero byte, as C sees it.
func cutZero(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

func compareScores(a, b weighed) int {
	switch {
	case a.score < b.score:
		return -1
	case a.score > b.score:
		return 1
	}
	return bytes.Compare(a.element, b.element)
}

// compareTexts puts absent texts first. A text that is only replied is compared
// as C does (collate), up to a zero byte. Where elements are told apart, equal
// texts don't leave the order to chance.
func compareTexts(a, b weighed, collate, tellApart bool) int {
	n := 0
	switch {
	case a.text == nil || b.text == nil:
		n = int(integer(a.text != nil) - integer(b.text != nil))
	case collate:
		n = bytes.Compare(cutZero(a.text), cutZero(b.text))
	default:
		n = bytes.Compare(a.text, b.text)
	}
	if n == 0 && tellApart {
		return bytes.Compare(a.element, b.element)
	}
	return n
}

// patterns resolves the patterns of BY and GET.
type patterns struct {
	db      kv.DB
	how     kv.Access
	key     []byte
	scratch []byte
}

func (h *handlers) patterns(c *command.Ctx) *patterns {
	return &patterns{db: h.db(c), how: reading(c), scratch: make([]byte, 0, 20)}
}

// lookup is the value that a pattern names for an element, good until the next
// call: that of the key which the pattern is with the element in place of its
// asterisk, or of a field of such a key, or for # the element itself.
func (p *patterns) lookup(pattern, element []byte) (v []byte, ok bool) {
	if len(pattern) == 1 && pattern[0] == '#' {
		return element, true
	}
	star := bytes.IndexByte(pattern, '*')
	if star < 0 {
		return nil, false
	}
	prefix, rest := pattern[:star], pattern[star+1:]
	var field []byte
	if i := bytes.Index(rest, []byte("->")); i >= 0 && i+2 < len(rest) {
		rest, field = rest[:i], rest[i+2:]
	}
	p.key = append(append(append(p.key[:0], prefix...), element...), rest...)
	if field != nil {
		k, isHash := p.db.Hash(p.key, p.how)
		if !isHash {
			return nil, false
		}
		f, there := k.Get(field)
		if !there {
			return nil, false
		}
		p.scratch = f.Append(p.scratch[:0])
		return p.scratch, true
	}
	e, there := p.db.Lookup(p.key, p.how)
	if !there || e.Type() != kv.String {
		return nil, false
	}
	return e.Bytes(p.scratch[:20]), true
}
