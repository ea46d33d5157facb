package respclient

import (
	"strconv"
	"strings"
)

// Raw is the reply as redis-cli --raw prints it: one line per element.
func (r Reply) Raw() string {
	var b strings.Builder
	r.raw(&b)
	return b.String()
}

func (r Reply) raw(b *strings.Builder) {
	switch r.Kind {
	case Integer:
		b.WriteString(strconv.FormatInt(r.Int, 10))
	case Array:
		for i, e := range r.Elements {
			if i > 0 {
				b.WriteByte('\n')
			}
			e.raw(b)
		}
	default:
		b.WriteString(r.Text)
	}
}

// HasError reports whether the reply is an error or contains one.
func (r Reply) HasError() bool {
	if r.Kind == Error {
		return true
	}
	for _, e := range r.Elements {
		if e.HasError() {
			return true
		}
	}
	return false
}
