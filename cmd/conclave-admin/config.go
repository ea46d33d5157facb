package main

import (
	"flag"
	"io"

	"conclave/cmd/internal/config"
)

func printConfig(args []string, out io.Writer) error {
	if len(args) > 0 {
		return flag.ErrHelp
	}
	_, err := io.WriteString(out, config.Docs())
	return err
}
