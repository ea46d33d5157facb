package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"conclave/scripts/e2e/clients/scenario"
)

const library = `#!lua name=shop
redis.register_function('sell', function(keys, args) return redis.call('DECRBY', keys[1], args[1]) end)
redis.register_function{function_name='stock', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}`

// users is a program that uses a cluster, and a server that is none.
type users struct {
	ctx   context.Context
	r     *redis.ClusterClient
	alone string
}

func families(alone string, addrs []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	u := users{ctx, redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs}), alone}
	defer u.r.Close()
	scenario.RunFamilies(os.Stdout, []scenario.Family{
		{Name: "strings", Run: u.strings}, {Name: "bitmaps", Run: u.bitmaps}, {Name: "hyperloglogs", Run: u.hyperLogLogs},
		{Name: "lists", Run: u.lists}, {Name: "hashes", Run: u.hashes}, {Name: "sets", Run: u.sets},
		{Name: "sortedsets", Run: u.sortedSets}, {Name: "geo", Run: u.geo}, {Name: "streams", Run: u.streams},
		{Name: "scripts", Run: u.scripts}, {Name: "functions", Run: u.functions}, {Name: "transactions", Run: u.transactions},
		{Name: "pubsub", Run: u.pubSub}, {Name: "standalone", Run: u.standalone}, {Name: "sharded", Run: u.sharded},
	})
}

func (u users) strings(c *scenario.Check) {
	c.Is("OK")(u.r.Set(u.ctx, "s", "hello", time.Hour).Result())
	c.Is("hello")(u.r.GetEx(u.ctx, "s", time.Minute).Result())
	c.Is("1m0s")(u.r.TTL(u.ctx, "s").Result())
	c.Is("11")(u.r.Append(u.ctx, "s", " world").Result())
	c.Is("world")(u.r.GetRange(u.ctx, "s", 6, -1).Result())
	c.Is("2.5")(u.r.IncrByFloat(u.ctx, "float", 2.5).Result())
	c.Is("false")(u.r.SetNX(u.ctx, "s", "x", 0).Result())
	c.Is("OK")(u.r.MSet(u.ctx, "{m}1", "a", "{m}2", "b").Result())
	c.Is("[a b <nil>]")(u.r.MGet(u.ctx, "{m}1", "{m}2", "{m}3").Result())
	match, err := u.r.LCS(u.ctx, &redis.LCSQuery{Key1: "{m}1", Key2: "{m}1"}).Result()
	if err == nil {
		c.Is("a")(match.MatchString, err)
	}
	_, err = u.r.Get(u.ctx, "none").Result()
	c.Fails(redis.Nil.Error(), err)
	c.Fails("WRONGTYPE Operation against a key holding the wrong kind of value", u.r.LPush(u.ctx, "s", "x").Err())
}

func (u users) bitmaps(c *scenario.Check) {
	c.Is("0")(u.r.SetBit(u.ctx, "{b}1", 7, 1).Result())
	c.Is("1")(u.r.BitCount(u.ctx, "{b}1", &redis.BitCount{Start: 0, End: 7, Unit: redis.BitCountIndexBit}).Result())
	c.Is("7")(u.r.BitPos(u.ctx, "{b}1", 1).Result())
	c.Is("1")(u.r.BitOpNot(u.ctx, "{b}2", "{b}1").Result())
	c.Is("[0 255]")(u.r.BitField(u.ctx, "{b}3", "SET", "u8", "#0", 255, "GET", "u8", "#0").Result())
}

func (u users) hyperLogLogs(c *scenario.Check) {
	c.Is("1")(u.r.PFAdd(u.ctx, "{p}1", "a", "b", "c").Result())
	c.Is("1")(u.r.PFAdd(u.ctx, "{p}2", "c", "d").Result())
	c.Is("4")(u.r.PFCount(u.ctx, "{p}1", "{p}2").Result())
	c.Is("OK")(u.r.PFMerge(u.ctx, "{p}3", "{p}1", "{p}2").Result())
	c.Is("4")(u.r.PFCount(u.ctx, "{p}3").Result())
}

func (u users) lists(c *scenario.Check) {
	c.Is("3")(u.r.RPush(u.ctx, "{l}1", "a", "b", "c").Result())
	c.Is("[a b c]")(u.r.LRange(u.ctx, "{l}1", 0, -1).Result())
	c.Is("4")(u.r.LInsertBefore(u.ctx, "{l}1", "b", "x").Result())
	c.Is("[1]")(u.r.LPosCount(u.ctx, "{l}1", "x", 0, redis.LPosArgs{}).Result())
	c.Is("c")(u.r.LMove(u.ctx, "{l}1", "{l}2", "RIGHT", "LEFT").Result())
	key, values, err := u.r.LMPop(u.ctx, "left", 2, "{l}0", "{l}1").Result()
	c.Is("{l}1 [a x]")(fmt.Sprint(key, " ", values), err)

	done := make(chan []string, 1)
	go func() { done <- u.r.BLPop(u.ctx, 10*time.Second, "{q}1", "{q}2").Val() }()
	c.Is("1")(u.r.RPush(u.ctx, "{q}2", "job").Result())
	c.Is("[{q}2 job]")(<-done, nil)
	_, err = u.r.BLMove(u.ctx, "{q}1", "{q}2", "LEFT", "RIGHT", time.Second).Result()
	c.Fails(redis.Nil.Error(), err)
}

func (u users) hashes(c *scenario.Check) {
	c.Is("2")(u.r.HSet(u.ctx, "h", "name", "ann", "age", 30).Result())
	c.Is("map[age:30 name:ann]")(u.r.HGetAll(u.ctx, "h").Result())
	c.Is("31")(u.r.HIncrBy(u.ctx, "h", "age", 1).Result())
	c.Is("[ann <nil>]")(u.r.HMGet(u.ctx, "h", "name", "none").Result())
	pairs, err := u.r.HRandFieldWithValues(u.ctx, "h", -4).Result()
	c.Is("4")(len(pairs), err)
	found, cursor, err := u.r.HScan(u.ctx, "h", 0, "*", 100).Result()
	c.Is("4 0")(fmt.Sprint(len(found), " ", cursor), err)
}

func (u users) sets(c *scenario.Check) {
	c.Is("3")(u.r.SAdd(u.ctx, "{s}1", "a", "b", "c").Result())
	c.Is("2")(u.r.SAdd(u.ctx, "{s}2", "b", "d").Result())
	c.Is("[b]")(u.r.SInter(u.ctx, "{s}1", "{s}2").Result())
	c.Is("1")(u.r.SInterCard(u.ctx, 10, "{s}1", "{s}2").Result())
	c.Is("4")(u.r.SUnionStore(u.ctx, "{s}3", "{s}1", "{s}2").Result())
	c.Is("[true false]")(u.r.SMIsMember(u.ctx, "{s}1", "a", "z").Result())
	popped, err := u.r.SPopN(u.ctx, "{s}3", 3).Result()
	c.Is("3")(len(popped), err)
}

func (u users) sortedSets(c *scenario.Check) {
	c.Is("3")(u.r.ZAdd(u.ctx, "{z}1", redis.Z{Score: 1, Member: "a"}, redis.Z{Score: 2.5, Member: "b"}, redis.Z{Score: 3, Member: "c"}).Result())
	c.Is("[{3 c} {2.5 b}]")(u.r.ZRangeArgsWithScores(u.ctx, redis.ZRangeArgs{Key: "{z}1", Start: "+inf", Stop: 2, ByScore: true, Rev: true}).Result())
	c.Is("{1 2.5}")(u.r.ZRankWithScore(u.ctx, "{z}1", "b").Result())
	c.Is("4")(u.r.ZAddArgsIncr(u.ctx, "{z}1", redis.ZAddArgs{GT: true, Members: []redis.Z{{Score: 3, Member: "a"}}}).Result())
	c.Is("3")(u.r.ZUnionStore(u.ctx, "{z}2", &redis.ZStore{Keys: []string{"{z}1"}, Weights: []float64{2}}).Result())
	c.Is("[{8 a}]")(u.r.ZPopMax(u.ctx, "{z}2").Result())
	key, popped, err := u.r.ZMPop(u.ctx, "min", 1, "{z}2").Result()
	c.Is("{z}2 [{5 b}]")(fmt.Sprint(key, " ", popped), err)
	done := make(chan *redis.ZWithKey, 1)
	go func() { done <- u.r.BZPopMin(u.ctx, 10*time.Second, "{z}q").Val() }()
	c.Is("1")(u.r.ZAdd(u.ctx, "{z}q", redis.Z{Score: 7, Member: "job"}).Result())
	if got := <-done; got == nil {
		c.Is("an element")("nothing", nil)
	} else {
		c.Is("{{7 job} {z}q}")(*got, nil)
	}
}

func (u users) geo(c *scenario.Check) {
	c.Is("2")(u.r.GeoAdd(u.ctx, "g", &redis.GeoLocation{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556},
		&redis.GeoLocation{Name: "Catania", Longitude: 15.087269, Latitude: 37.502669}).Result())
	c.Is("166.2742")(u.r.GeoDist(u.ctx, "g", "Palermo", "Catania", "km").Result())
	c.Is("[sqc8b49rny0 sqdtr74hyu0]")(u.r.GeoHash(u.ctx, "g", "Palermo", "Catania").Result())
	at := redis.GeoSearchQuery{Longitude: 15, Latitude: 37, Radius: 200, RadiusUnit: "km", Sort: "ASC"}
	c.Is("[Catania Palermo]")(u.r.GeoSearch(u.ctx, "g", &at).Result())
	found, err := u.r.GeoSearchLocation(u.ctx, "g", &redis.GeoSearchLocationQuery{GeoSearchQuery: at, WithDist: true, WithCoord: true}).Result()
	if len(found) != 2 {
		c.Is("2 locations")(found, err)
		return
	}
	c.Is("Catania 56.4413 15.0873")(fmt.Sprintf("%s %.4f %.4f", found[0].Name, found[0].Dist, found[0].Longitude), err)
}

func (u users) streams(c *scenario.Check) {
	for i, name := range []string{"a", "b", "c"} {
		id := fmt.Sprintf("1-%d", i+1)
		c.Is(id)(u.r.XAdd(u.ctx, &redis.XAddArgs{Stream: "st", ID: id, Values: []string{"name", name}}).Result())
	}
	c.Is("OK")(u.r.XGroupCreate(u.ctx, "st", "g", "0").Result())
	read := func(id string) (any, error) {
		got, err := u.r.XReadGroup(u.ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "ann", Streams: []string{"st", id}, Count: 2, Block: -1}).Result()
		var ids []string
		for _, s := range got {
			for _, m := range s.Messages {
				ids = append(ids, m.ID+"="+fmt.Sprint(m.Values["name"]))
			}
		}
		return strings.Join(ids, " "), err
	}
	c.Is("1-1=a 1-2=b")(read(">"))
	c.Is("1")(u.r.XAck(u.ctx, "st", "g", "1-1").Result())
	c.Is("1-2=b")(read("0"))
	pending, err := u.r.XPending(u.ctx, "st", "g").Result()
	if err == nil {
		c.Is("{1 1-2 1-2 map[ann:1]}")(*pending, err)
	}
	claimed, next, err := u.r.XAutoClaim(u.ctx, &redis.XAutoClaimArgs{Stream: "st", Group: "g", Consumer: "bob", Start: "0"}).Result()
	c.Is("1 0-0")(fmt.Sprint(len(claimed), " ", next), err)
	groups, err := u.r.XInfoGroups(u.ctx, "st").Result()
	if len(groups) != 1 {
		c.Is("1 group")(groups, err)
		return
	}
	g := groups[0]
	c.Is("g 2 1 1-2 2 1")(fmt.Sprint(g.Name, " ", g.Consumers, " ", g.Pending, " ", g.LastDeliveredID, " ", g.EntriesRead, " ", g.Lag), err)
	consumers, err := u.r.XInfoConsumers(u.ctx, "st", "g").Result()
	c.Is("2")(len(consumers), err)
	full, err := u.r.XInfoStreamFull(u.ctx, "st", 10).Result()
	if err != nil {
		c.Is("XINFO STREAM FULL")("", err)
		return
	}
	c.Is("3 3 1")(fmt.Sprint(full.Length, " ", len(full.Entries), " ", len(full.Groups)), err)

	done := make(chan []redis.XStream, 1)
	go func() {
		done <- u.r.XRead(u.ctx, &redis.XReadArgs{Streams: []string{"{st}q", "0"}, Block: 10 * time.Second}).Val()
	}()
	c.Is("9-9")(u.r.XAdd(u.ctx, &redis.XAddArgs{Stream: "{st}q", ID: "9-9", Values: []string{"k", "v"}}).Result())
	c.Is("1")(len(<-done), nil)
	c.Is("2")(u.r.XTrimMaxLen(u.ctx, "st", 1).Result())
}

func (u users) scripts(c *scenario.Check) {
	script := redis.NewScript(`return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1]), false, {ok='fine'}}`)
	c.Is(script.Hash())(script.Load(u.ctx, u.r).Result()) // on every node
	c.Is("[lua x 1 <nil> fine]")(script.Run(u.ctx, u.r, []string{"lua"}, "x").Result())
	c.Is("[lua y 2 <nil> fine]")(script.EvalSha(u.ctx, u.r, []string{"lua"}, "y").Result())
	c.Is("[true]")(script.Exists(u.ctx, u.r).Result())
	_, err := u.r.EvalSha(u.ctx, "0000000000000000000000000000000000000000", []string{"lua"}).Result()
	c.Is("true")(redis.HasErrorPrefix(err, "NOSCRIPT"), nil)
	_, err = u.r.EvalRO(u.ctx, `return redis.call('SET', KEYS[1], 1)`, []string{"lua"}).Result()
	c.Is("true")(err != nil && strings.Contains(err.Error(), "Write commands are not allowed from read-only scripts"), nil)
}

func (u users) functions(c *scenario.Check) {
	c.Is("<nil>")(nil, u.r.ForEachMaster(u.ctx, func(ctx context.Context, node *redis.Client) error {
		return node.FunctionLoadReplace(ctx, library).Err()
	}))
	c.Is("-3")(u.r.FCall(u.ctx, "sell", []string{"apples"}, 3).Result())
	c.Is("-3")(u.r.FCallRO(u.ctx, "stock", []string{"apples"}).Result())
	list, err := u.r.FunctionList(u.ctx, redis.FunctionListQuery{LibraryNamePattern: "sh*", WithCode: true}).Result()
	if len(list) != 1 {
		c.Is("1 library")(list, err)
		return
	}
	c.Is("shop LUA 2 true")(fmt.Sprint(list[0].Name, " ", list[0].Engine, " ", len(list[0].Functions), " ", list[0].Code == library), err)
}

func (u users) transactions(c *scenario.Check) {
	c.Is("OK")(u.r.Set(u.ctx, "{t}n", 1, 0).Result())
	err := u.r.Watch(u.ctx, func(tx *redis.Tx) error {
		n, err := tx.Get(u.ctx, "{t}n").Int()
		if err != nil {
			return err
		}
		if err := u.r.Set(u.ctx, "{t}n", n+10, 0).Err(); err != nil { // behind its back
			return err
		}
		_, err = tx.TxPipelined(u.ctx, func(p redis.Pipeliner) error {
			p.Set(u.ctx, "{t}n", 0, 0)
			return nil
		})
		return err
	}, "{t}n")
	c.Is("true")(errors.Is(err, redis.TxFailedErr), nil)
	cmds, err := u.r.TxPipelined(u.ctx, func(p redis.Pipeliner) error {
		p.Incr(u.ctx, "{t}n")
		p.HSet(u.ctx, "{t}h", "a", 1)
		p.ZRangeWithScores(u.ctx, "{t}z", 0, -1)
		return nil
	})
	c.Is("3")(len(cmds), err)
	c.Is("12")(u.r.Get(u.ctx, "{t}n").Result())
}

// pubSub publishes on every node and listens on one.
func (u users) pubSub(c *scenario.Check) {
	s := u.r.PSubscribe(u.ctx, "news.*")
	defer s.Close()
	_, err := s.Receive(u.ctx)
	c.Is("subscribed")("subscribed", err)
	c.Is("<nil>")(nil, u.r.ForEachMaster(u.ctx, func(ctx context.Context, node *redis.Client) error {
		return node.Publish(ctx, "news.today", "rain").Err()
	}))
	for range 3 {
		m, err := s.ReceiveMessage(u.ctx)
		if err != nil {
			c.Is("a message")("none", err)
			return
		}
		c.Is("news.* news.today rain")(fmt.Sprint(m.Pattern, " ", m.Channel, " ", m.Payload), err)
	}
}

func (u users) sharded(c *scenario.Check) {
	s := u.r.SSubscribe(u.ctx, "orders")
	defer s.Close()
	_, err := s.Receive(u.ctx)
	c.Is("subscribed")("subscribed", err)
	c.Is("1")(u.r.SPublish(u.ctx, "orders", "one").Result())
	m, err := s.ReceiveMessage(u.ctx)
	if err != nil {
		c.Is("a message")("none", err)
		return
	}
	c.Is("orders one")(m.Channel+" "+m.Payload, err)
}

// standalone uses a database of its own on a server that is no cluster.
func (u users) standalone(c *scenario.Check) {
	for protocol := 2; protocol <= 3; protocol++ {
		r := redis.NewClient(&redis.Options{Addr: u.alone, DB: 9, Protocol: protocol})
		c.Is("OK")(r.FlushDB(u.ctx).Result())
		c.Is("1")(r.RPush(u.ctx, "list", "b").Result())
		c.Is("2")(r.ZAdd(u.ctx, "zset", redis.Z{Score: 1, Member: "a"}, redis.Z{Score: 2, Member: "b"}).Result())
		c.Is("[{1 a} {2 b}]")(r.ZRangeWithScores(u.ctx, "zset", 0, -1).Result())
		c.Is("true")(r.Move(u.ctx, "list", 8).Result())
		c.Is("1")(r.DBSize(u.ctx).Result())
		other := redis.NewClient(&redis.Options{Addr: u.alone, DB: 8, Protocol: protocol})
		c.Is("[b]")(other.LRange(u.ctx, "list", 0, -1).Result())
		c.Is("OK")(other.FlushDB(u.ctx).Result())
		other.Close()
		r.Close()
	}
}
