package main

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"

	"conclave/scripts/e2e/clients/scenario"
)

type client struct{ c *redis.ClusterClient }

func main() {
	if os.Args[1] == "families" {
		families(os.Args[2], os.Args[3:])
		return
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: os.Args[1:]})
	defer c.Close()
	if err := scenario.Run(client{c}, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c client) Do(args ...string) (string, error) {
	return c.c.Do(context.Background(), words(args)...).Text()
}

func (c client) Pipeline(commands [][]string) ([]string, error) {
	return run(c.c.Pipelined, commands)
}

func (c client) Transaction(commands [][]string) ([]string, error) {
	return run(c.c.TxPipelined, commands)
}

func run(pipelined func(context.Context, func(redis.Pipeliner) error) ([]redis.Cmder, error), commands [][]string) ([]string, error) {
	var cmds []*redis.Cmd
	_, err := pipelined(context.Background(), func(p redis.Pipeliner) error {
		for _, args := range commands {
			cmds = append(cmds, p.Do(context.Background(), words(args)...))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var replies []string
	for _, cmd := range cmds {
		replies = append(replies, fmt.Sprint(cmd.Val()))
	}
	return replies, nil
}

func words(args []string) []any {
	all := make([]any, len(args))
	for i, a := range args {
		all[i] = a
	}
	return all
}
