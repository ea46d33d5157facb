package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// progressBar shows how far a long job is, on a terminal; elsewhere nothing.
type progressBar struct {
	to    io.Writer // nil: not a terminal
	total int64
	shown int // percent; -1: nothing yet
}

// newProgressBar shows progress on the error output, if that is a terminal.
func newProgressBar(total int64) *progressBar {
	p := &progressBar{total: total, shown: -1}
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && total > 0 {
		p.to = os.Stderr
	}
	return p
}

// at says how much is done.
func (p *progressBar) at(done int64) {
	percent := int(100 * min(done, p.total) / max(p.total, 1))
	if p.to == nil || percent == p.shown {
		return
	}
	p.shown = percent
	const width = 40
	full := percent * width / 100
	fmt.Fprintf(p.to, "\r[%s%s] %3d%%", strings.Repeat("#", full), strings.Repeat(" ", width-full), percent)
}

// end removes the bar.
func (p *progressBar) end() {
	if p.to != nil && p.shown >= 0 {
		fmt.Fprintf(p.to, "\r%s\r", strings.Repeat(" ", 60))
	}
}
