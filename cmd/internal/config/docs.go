package config

import (
	"fmt"
	"strings"
)

// Docs is docs/configuration.md: the table, in words.
func Docs() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Generated from the table of directives (` + "`go test ./cmd/internal/config -update`" + `); don't edit.

` + "`conclave-server [file] [--directive value ...] [-]`" + ` reads the file, then standard input if the last word is a dash, then the command line; what comes later wins, and of several lines for one directive the last.

A line is a directive and its values, separated by blanks; names ignore case. ` + "`\"...\"`" + ` quotes a value and knows the escapes ` + "`\\n \\r \\t \\b \\a \\xHH \\\" \\\\`" + `, ` + "`'...'`" + ` quotes it literally. Lines that start with ` + "`#`" + ` are comments. ` + "`include path`" + ` reads another file, or all files that a pattern names, at that place. Memory takes the units k, m, g (powers of 1000) and kb, mb, gb (powers of 1024).

"Live" directives can be changed with CONFIG SET; CONFIG REWRITE keeps the change in the file. The others are read at start.

Directives of redis-server that aren't listed are refused at start, with the reason.
`)
	c := Default()
	for _, g := range newTable().groups {
		fmt.Fprintf(&b, "\n## %s\n\n| Directive | Value | Default | Live | Meaning |\n|---|---|---|---|---|\n", g.title)
		for _, d := range g.rows {
			names := "`" + d.name + "`"
			for _, a := range d.aliases {
				names += " (`" + a + "`)"
			}
			def := d.value.format(c)
			if d.value.compact != nil {
				def = d.value.compact(c)
			}
			if def != "" {
				def = "`" + def + "`"
			}
			changes := "no"
			if d.mode == live {
				changes = "yes"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", names, cell(d.value.kind), cell(def), changes, cell(d.doc))
		}
	}
	return b.String()
}

// cell keeps a text from ending its cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
