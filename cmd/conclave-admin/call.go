package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"conclave/cmd/internal/respclient"
)

// call sends one command. The exit status tells a script whether the reply is
// an error; the text is what redis-cli --raw prints.
func call(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("call", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	password := flags.String("a", "", "password")
	seconds := flags.Float64("t", 30, "seconds to wait for the reply")
	if err := flags.Parse(args); err != nil || flags.NArg() < 2 {
		return flag.ErrHelp
	}
	address, command := flags.Arg(0), flags.Args()[1:]
	c, err := respclient.Dial(context.Background(), address, time.Duration(*seconds*float64(time.Second)))
	if err != nil {
		return err
	}
	defer c.Close()
	if *password != "" {
		reply, err := c.Do("AUTH", *password)
		if err == nil {
			err = reply.Err()
		}
		if err != nil {
			return fmt.Errorf("authenticate at %s: %w", address, err)
		}
	}
	reply, err := c.Do(command...)
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	fmt.Fprintln(out, reply.Raw())
	if reply.HasError() {
		return errReply
	}
	return nil
}
