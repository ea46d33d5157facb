//go:build invariants

package arena

import "fmt"

// Checked says that this is the build in which misuse is detected.
const Checked = true

// Poison fills freed cells.
const Poison = 0xdb

// checker knows a heap's live cells and their classes.
type checker struct {
	live map[Ref]int
}

func (c *checker) allocated(a *Arena, r Ref, n int) {
	if c.live == nil {
		c.live = map[Ref]int{}
	}
	if _, twice := c.live[r]; twice {
		panic(fmt.Sprintf("arena: cell %#x handed out twice", r))
	}
	c.live[r] = CellSize(n)
	poison(a.Bytes(r, n))
}

func (c *checker) freed(a *Arena, r Ref, n int) {
	size, live := c.live[r]
	switch {
	case !live:
		panic(fmt.Sprintf("arena: free of %#x, which isn't a live cell", r))
	case n <= maxCell && size != CellSize(n):
		panic(fmt.Sprintf("arena: free of %d bytes at %#x, a cell of %d", n, r, size))
	}
	delete(c.live, r)
	poison(a.Bytes(r, min(n, maxCell)))
}

func poison(b []byte) {
	for i := range b {
		b[i] = Poison
	}
}
