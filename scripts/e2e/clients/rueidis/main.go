package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"conclave/scripts/e2e/clients/scenario"
)

type client struct{ c rueidis.Client }

func main() {
	if os.Args[1] == "families" {
		if err := families(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// Each reply comes from where the slot is now.
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: os.Args[1:], DisableCache: true})
	if err == nil {
		defer c.Close()
		err = scenario.Run(client{c}, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c client) command(args []string) rueidis.Completed {
	return c.c.B().Arbitrary(args[0]).Keys(args[1]).Args(args[2:]...).Build()
}

func (c client) Do(args ...string) (string, error) {
	return text(c.c.Do(context.Background(), c.command(args)))
}

func (c client) Pipeline(commands [][]string) ([]string, error) {
	var all []rueidis.Completed
	for _, args := range commands {
		all = append(all, c.command(args))
	}
	var replies []string
	for _, r := range c.c.DoMulti(context.Background(), all...) {
		reply, err := text(r)
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

// Transaction tries again while the slot is looked for at its former owner:
// rueidis doesn't redirect dedicated connections, and learns of the move in the
// background.
func (c client) Transaction(commands [][]string) ([]string, error) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		replies, err := c.transaction(commands)
		if e, ok := rueidis.IsRedisErr(err); !ok || !strings.HasPrefix(e.Error(), "EXECABORT") || time.Now().After(deadline) {
			return replies, err
		}
	}
}

func (c client) transaction(commands [][]string) ([]string, error) {
	var replies []string
	err := c.c.Dedicated(func(d rueidis.DedicatedClient) error {
		// A dedicated client picks its node by its first key.
		watch := d.B().Watch().Key(commands[0][1]).Build()
		all := []rueidis.Completed{watch, d.B().Multi().Build()}
		for _, args := range commands {
			all = append(all, d.B().Arbitrary(args[0]).Keys(args[1]).Args(args[2:]...).Build())
		}
		results := d.DoMulti(context.Background(), append(all, d.B().Exec().Build())...)
		elements, err := results[len(results)-1].ToArray()
		if err != nil {
			return err
		}
		for _, e := range elements {
			reply, err := e.ToAny()
			if err != nil {
				return err
			}
			replies = append(replies, fmt.Sprint(reply))
		}
		return nil
	})
	return replies, err
}

func text(r rueidis.RedisResult) (string, error) {
	reply, err := r.ToAny()
	return fmt.Sprint(reply), err
}
