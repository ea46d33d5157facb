package main

import (
	"fmt"
	"os"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"

	"conclave/scripts/e2e/clients/scenario"
)

type client struct{ cluster *redisc.Cluster }

func main() {
	nodes, alone := os.Args[1:], ""
	if nodes[0] == "families" {
		alone, nodes = nodes[1], nodes[2:]
	}
	c := &redisc.Cluster{
		StartupNodes: nodes,
		DialOptions:  []redis.DialOption{redis.DialConnectTimeout(5 * time.Second)},
		CreatePool: func(addr string, options ...redis.DialOption) (*redis.Pool, error) {
			return &redis.Pool{MaxIdle: 4, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr, options...) }}, nil
		},
	}
	defer c.Close()
	err := c.Refresh()
	switch {
	case err != nil:
	case alone != "":
		families(c, alone)
	default:
		err = scenario.Run(client{c}, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c client) Do(args ...string) (string, error) {
	conn, err := redisc.RetryConn(c.cluster.Get(), 5, 50*time.Millisecond)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	reply, err := conn.Do(args[0], words(args[1:])...)
	return text(reply), err
}

// Pipeline sends one pipeline per node: redisc leaves that to its user.
func (c client) Pipeline(commands [][]string) ([]string, error) {
	replies := make(map[string]string)
	var keys []string
	byKey := make(map[string][]string)
	for _, args := range commands {
		keys = append(keys, args[1])
		byKey[args[1]] = args
	}
	for _, group := range redisc.SplitBySlot(keys...) {
		conn := c.cluster.Get()
		err := redisc.BindConn(conn, group[0])
		for _, key := range group {
			if err == nil {
				err = conn.Send(byKey[key][0], words(byKey[key][1:])...)
			}
		}
		if err == nil {
			err = conn.Flush()
		}
		for _, key := range group {
			if err == nil {
				var reply any
				reply, err = conn.Receive()
				replies[key] = text(reply)
			}
		}
		conn.Close()
		if err != nil {
			return nil, err
		}
	}
	var all []string
	for _, key := range keys {
		all = append(all, replies[key])
	}
	return all, nil
}

func (c client) Transaction(commands [][]string) ([]string, error) {
	conn := c.cluster.Get()
	defer conn.Close()
	if err := redisc.BindConn(conn, commands[0][1]); err != nil {
		return nil, err
	}
	if err := conn.Send("MULTI"); err != nil {
		return nil, err
	}
	for _, args := range commands {
		if err := conn.Send(args[0], words(args[1:])...); err != nil {
			return nil, err
		}
	}
	elements, err := redis.Values(conn.Do("EXEC"))
	var all []string
	for _, e := range elements {
		all = append(all, text(e))
	}
	return all, err
}

func text(reply any) string {
	if b, ok := reply.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(reply)
}

func words(args []string) []any {
	all := make([]any, len(args))
	for i, a := range args {
		all[i] = a
	}
	return all
}
