package commands

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"conclave/resp/command"
)

// The size of the piece.
const (
	artColumns = 66
	artRows    = 22
)

// lolwut draws an elementary cellular automaton. VERSION n chooses rule n mod
// 256; without it one of the livelier rules is drawn by lot.
func lolwut(c *command.Ctx) {
	lively := []uint8{30, 45, 60, 73, 90, 105, 110, 150}
	rule := lively[rand.IntN(len(lively))]
	if len(c.Args) >= 3 && c.Is(1, "version") {
		n, err := strconv.ParseInt(string(c.Arg(2)), 10, 64)
		if err != nil {
			c.Error(command.ErrNotInteger)
			return
		}
		rule = uint8(n)
	}
	c.Verbatim("txt", automaton(rule)+"Redis ver. "+RedisVersion+"\n")
}

// automaton draws artRows generations of a rule that starts from one cell, on
// a ring.
func automaton(rule uint8) string {
	row := make([]uint8, artColumns)
	next := make([]uint8, artColumns)
	row[artColumns/2] = 1
	var b strings.Builder
	for range artRows {
		for x := range row {
			if row[x] == 1 {
				b.WriteByte('#')
			} else {
				b.WriteByte(' ')
			}
			left, right := row[(x+artColumns-1)%artColumns], row[(x+1)%artColumns]
			next[x] = rule >> (left<<2 | row[x]<<1 | right) & 1
		}
		b.WriteByte('\n')
		row, next = next, row
	}
	b.WriteByte('\n')
	return b.String()
}
