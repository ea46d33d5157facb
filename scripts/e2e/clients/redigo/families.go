package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"

	"conclave/scripts/e2e/clients/scenario"
)

const library = `#!lua name=shop
redis.register_function('sell', function(keys, args) return redis.call('DECRBY', keys[1], args[1]) end)`

// users is a program that uses a cluster, and a server that is none.
type users struct {
	cluster *redisc.Cluster
	alone   string
}

func families(cluster *redisc.Cluster, alone string) {
	u := users{cluster, alone}
	scenario.RunFamilies(os.Stdout, []scenario.Family{
		{Name: "strings", Run: u.strings}, {Name: "bitmaps", Run: u.bitmaps}, {Name: "hyperloglogs", Run: u.hyperLogLogs},
		{Name: "lists", Run: u.lists}, {Name: "hashes", Run: u.hashes}, {Name: "sets", Run: u.sets},
		{Name: "sortedsets", Run: u.sortedSets}, {Name: "geo", Run: u.geo}, {Name: "streams", Run: u.streams},
		{Name: "scripts", Run: u.scripts}, {Name: "functions", Run: u.functions}, {Name: "transactions", Run: u.transactions},
		{Name: "pubsub", Run: u.pubSub}, {Name: "standalone", Run: u.standalone},
	})
}

// do sends one command to where its key is.
func (u users) do(name string, args ...any) (any, error) {
	conn, err := redisc.RetryConn(u.cluster.Get(), 5, 50*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Do(name, args...)
}

func (u users) strings(c *scenario.Check) {
	c.Is("OK")(redis.String(u.do("SET", "s", "hello", "EX", 100)))
	c.Is("11")(redis.Int(u.do("APPEND", "s", " world")))
	c.Is("2.5")(redis.Float64(u.do("INCRBYFLOAT", "float", 2.5)))
	c.Is("OK")(redis.String(u.do("MSET", "{m}1", "a", "{m}2", "b")))
	c.Is("[a b ]")(redis.Strings(u.do("MGET", "{m}1", "{m}2", "{m}3")))
	_, err := redis.String(u.do("GET", "none"))
	c.Fails(redis.ErrNil.Error(), err)
	_, err = u.do("LPUSH", "s", "x")
	c.Fails("WRONGTYPE Operation against a key holding the wrong kind of value", err)
}

func (u users) bitmaps(c *scenario.Check) {
	c.Is("false")(redis.Bool(u.do("SETBIT", "{b}1", 7, 1)))
	c.Is("1")(redis.Int(u.do("BITCOUNT", "{b}1", 0, 7, "BIT")))
	c.Is("[0 255]")(redis.Int64s(u.do("BITFIELD", "{b}3", "SET", "u8", "#0", 255, "GET", "u8", "#0")))
}

func (u users) hyperLogLogs(c *scenario.Check) {
	c.Is("true")(redis.Bool(u.do("PFADD", "{p}1", "a", "b")))
	c.Is("true")(redis.Bool(u.do("PFADD", "{p}2", "b", "c")))
	c.Is("3")(redis.Int(u.do("PFCOUNT", "{p}1", "{p}2")))
	c.Is("OK")(redis.String(u.do("PFMERGE", "{p}3", "{p}1", "{p}2")))
}

func (u users) lists(c *scenario.Check) {
	c.Is("3")(redis.Int(u.do("RPUSH", redis.Args{"{l}1"}.AddFlat([]string{"a", "b", "c"})...)))
	c.Is("[a b c]")(redis.Strings(u.do("LRANGE", "{l}1", 0, -1)))
	c.Is("c")(redis.String(u.do("LMOVE", "{l}1", "{l}2", "RIGHT", "LEFT")))
	done := make(chan []string, 1)
	go func() {
		got, _ := redis.Strings(u.do("BLPOP", "{q}1", "{q}2", 10)) // nothing if it failed
		done <- got
	}()
	c.Is("1")(redis.Int(u.do("RPUSH", "{q}2", "job")))
	c.Is("[{q}2 job]")(<-done, nil)
}

func (u users) hashes(c *scenario.Check) {
	type person struct {
		Name string `redis:"name"`
		Age  int    `redis:"age"`
	}
	c.Is("2")(redis.Int(u.do("HSET", redis.Args{"h"}.AddFlat(person{"ann", 30})...)))
	c.Is("31")(redis.Int(u.do("HINCRBY", "h", "age", 1)))
	values, err := redis.Values(u.do("HGETALL", "h"))
	var p person
	if err == nil {
		err = redis.ScanStruct(values, &p)
	}
	c.Is("{ann 31}")(p, err)
	c.Is("map[age:31 name:ann]")(redis.StringMap(u.do("HGETALL", "h")))
}

func (u users) sets(c *scenario.Check) {
	c.Is("3")(redis.Int(u.do("SADD", "{s}1", "a", "b", "c")))
	c.Is("2")(redis.Int(u.do("SADD", "{s}2", "b", "d")))
	c.Is("[b]")(redis.Strings(u.do("SINTER", "{s}1", "{s}2")))
	c.Is("[1 0]")(redis.Ints(u.do("SMISMEMBER", "{s}1", "a", "z")))
	page, err := redis.Values(u.do("SSCAN", "{s}1", 0))
	var cursor int
	var members []string
	if err == nil {
		_, err = redis.Scan(page, &cursor, &members)
	}
	c.Is("0 3")(fmt.Sprint(cursor, len(members)), err)
}

func (u users) sortedSets(c *scenario.Check) {
	c.Is("2")(redis.Int(u.do("ZADD", "{z}1", 1, "a", 2.5, "b")))
	c.Is("map[a:1 b:2.5]")(redis.Float64Map(u.do("ZRANGE", "{z}1", 0, -1, "WITHSCORES")))
	c.Is("2")(redis.Int(u.do("ZUNIONSTORE", "{z}2", 1, "{z}1", "WEIGHTS", 2)))
	c.Is("map[b:5]")(redis.Float64Map(u.do("ZPOPMAX", "{z}2")))
}

func (u users) geo(c *scenario.Check) {
	c.Is("2")(redis.Int(u.do("GEOADD", "g", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")))
	c.Is("166.2742")(redis.Float64(u.do("GEODIST", "g", "Palermo", "Catania", "km")))
	c.Is("[Catania Palermo]")(redis.Strings(u.do("GEOSEARCH", "g", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km", "ASC")))
	at, err := redis.Positions(u.do("GEOPOS", "g", "Catania", "none"))
	if len(at) != 2 || at[0] == nil || at[1] != nil {
		c.Is("a position and none")(at, err)
		return
	}
	c.Is("15.0873")(fmt.Sprintf("%.4f", at[0][0]), err)
}

func (u users) streams(c *scenario.Check) {
	c.Is("1-1")(redis.String(u.do("XADD", "st", "1-1", "name", "a")))
	c.Is("1-2")(redis.String(u.do("XADD", "st", "1-2", "name", "b")))
	c.Is("OK")(redis.String(u.do("XGROUP", "CREATE", "st", "g", "0")))
	got, err := redis.Values(u.do("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "st", ">"))
	c.Is("[[st [[1-1 [name a]] [1-2 [name b]]]]]")(plain(got), err)
	c.Is("1")(redis.Int(u.do("XACK", "st", "g", "1-1")))
	pending, err := redis.Values(u.do("XPENDING", "st", "g"))
	c.Is("[1 1-2 1-2 [[ann 1]]]")(plain(pending), err)
	claimed, err := redis.Values(u.do("XAUTOCLAIM", "st", "g", "bob", 0, 0))
	c.Is("[0-0 [[1-2 [name b]]] []]")(plain(claimed), err)
}

// plain makes text of what are bytes in a reply.
func plain(reply any) any {
	switch r := reply.(type) {
	case []byte:
		return string(r)
	case []any:
		all := make([]any, len(r))
		for i := range r {
			all[i] = plain(r[i])
		}
		return all
	}
	return reply
}

func (u users) scripts(c *scenario.Check) {
	// The first of them needs EVAL after EVALSHA.
	script := redis.NewScript(1, `return {KEYS[1], ARGV[1], tostring(redis.call('INCR', KEYS[1]))}`)
	for i := 1; i <= 2; i++ {
		conn := u.cluster.Get()
		err := redisc.BindConn(conn, "lua")
		if err == nil {
			c.Is(fmt.Sprintf("[lua x %d]", i))(redis.Strings(script.Do(conn, "lua", "x")))
		}
		c.Is("bound")("bound", err)
		conn.Close()
	}
}

func (u users) functions(c *scenario.Check) {
	c.Is("<nil>")(nil, u.cluster.EachNode(false, func(_ string, conn redis.Conn) error {
		_, err := conn.Do("FUNCTION", "LOAD", "REPLACE", library)
		return err
	}))
	c.Is("-3")(redis.Int(u.do("FCALL", "sell", 1, "apples", 3)))
}

func (u users) transactions(c *scenario.Check) {
	conn := u.cluster.Get()
	defer conn.Close()
	err := redisc.BindConn(conn, "{t}n")
	c.Is("bound")("bound", err)
	if err != nil {
		return
	}
	c.Is("OK")(redis.String(conn.Do("WATCH", "{t}n")))
	c.Is("OK")(redis.String(u.do("SET", "{t}n", 12))) // behind its back
	c.Is("OK")(redis.String(conn.Do("MULTI")))
	c.Is("QUEUED")(redis.String(conn.Do("INCR", "{t}n")))
	_, err = redis.Values(conn.Do("EXEC"))
	c.Fails(redis.ErrNil.Error(), err)
	c.Is("OK")(redis.String(conn.Do("MULTI")))
	c.Is("QUEUED")(redis.String(conn.Do("INCR", "{t}n")))
	c.Is("QUEUED")(redis.String(conn.Do("SADD", "{t}s", "a", "b")))
	c.Is("[13 2]")(redis.Ints(conn.Do("EXEC")))
}

// pubSub publishes on every node and listens on one.
func (u users) pubSub(c *scenario.Check) {
	conn := u.cluster.Get()
	s := redis.PubSubConn{Conn: conn}
	defer s.Close()
	c.Is("sent")("sent", s.PSubscribe("news.*"))
	heard := []string{fmt.Sprint(s.ReceiveWithTimeout(10 * time.Second))}
	c.Is("<nil>")(nil, u.cluster.EachNode(false, func(_ string, conn redis.Conn) error {
		_, err := conn.Do("PUBLISH", "news.today", "rain")
		return err
	}))
	for range 3 {
		m, ok := s.ReceiveWithTimeout(10 * time.Second).(redis.Message)
		heard = append(heard, fmt.Sprint(ok, " ", m.Pattern, " ", m.Channel, " ", string(m.Data)))
	}
	c.Is("{psubscribe news.* 1}"+strings.Repeat(", true news.* news.today rain", 3))(strings.Join(heard, ", "), nil)
}

// standalone uses a database of its own on a server that is no cluster.
func (u users) standalone(c *scenario.Check) {
	conn, err := redis.Dial("tcp", u.alone, redis.DialDatabase(9))
	c.Is("connected")("connected", err)
	if err != nil {
		return
	}
	defer conn.Close()
	c.Is("OK")(redis.String(conn.Do("FLUSHDB")))
	c.Is("2")(redis.Int(conn.Do("RPUSH", "list", "a", "b")))
	c.Is("true")(redis.Bool(conn.Do("MOVE", "list", 8)))
	c.Is("0")(redis.Int(conn.Do("DBSIZE")))
	c.Is("OK")(redis.String(conn.Do("SELECT", 8)))
	c.Is("[a b]")(redis.Strings(conn.Do("LRANGE", "list", 0, -1)))
	c.Is("OK")(redis.String(conn.Do("FLUSHDB")))
}
