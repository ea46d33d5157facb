package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/redis/rueidis"

	"conclave/scripts/e2e/clients/scenario"
)

const library = `#!lua name=shop
redis.register_function('sell', function(keys, args) return redis.call('DECRBY', keys[1], args[1]) end)`

// users is a program that uses a cluster, and a server that is none.
type users struct {
	ctx   context.Context
	r     rueidis.Client
	b     func() rueidis.Builder
	addrs []string
	alone string
}

func families(alone string, addrs []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	// It keeps values, and is told by the server what has changed.
	r, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: addrs})
	if err != nil {
		return err
	}
	defer r.Close()
	u := users{ctx, r, r.B, addrs, alone}
	scenario.RunFamilies(os.Stdout, []scenario.Family{
		{Name: "strings", Run: u.strings}, {Name: "bitmaps", Run: u.bitmaps}, {Name: "hyperloglogs", Run: u.hyperLogLogs},
		{Name: "lists", Run: u.lists}, {Name: "hashes", Run: u.hashes}, {Name: "sets", Run: u.sets},
		{Name: "sortedsets", Run: u.sortedSets}, {Name: "geo", Run: u.geo}, {Name: "streams", Run: u.streams},
		{Name: "scripts", Run: u.scripts}, {Name: "functions", Run: u.functions}, {Name: "transactions", Run: u.transactions},
		{Name: "pubsub", Run: u.pubSub}, {Name: "standalone", Run: u.standalone}, {Name: "sharded", Run: u.sharded},
		{Name: "tracking", Run: u.tracking},
	})
	return nil
}

func (u users) do(c rueidis.Completed) rueidis.RedisResult { return u.r.Do(u.ctx, c) }

func (u users) strings(c *scenario.Check) {
	c.Is("OK")(u.do(u.b().Set().Key("s").Value("hello").ExSeconds(100).Build()).ToString())
	c.Is("11")(u.do(u.b().Append().Key("s").Value(" world").Build()).AsInt64())
	c.Is("2.5")(u.do(u.b().Incrbyfloat().Key("float").Increment(2.5).Build()).AsFloat64())
	c.Is("OK")(u.do(u.b().Mset().KeyValue().KeyValue("{m}1", "a").KeyValue("{m}2", "b").Build()).ToString())
	c.Is("[a b ]")(u.do(u.b().Mget().Key("{m}1", "{m}2", "{m}3").Build()).AsStrSlice())
	c.Is("true")(rueidis.IsRedisNil(u.do(u.b().Get().Key("none").Build()).Error()), nil)
	c.Fails("WRONGTYPE Operation against a key holding the wrong kind of value", u.do(u.b().Lpush().Key("s").Element("x").Build()).Error())
}

func (u users) bitmaps(c *scenario.Check) {
	c.Is("0")(u.do(u.b().Setbit().Key("b").Offset(7).Value(1).Build()).AsInt64())
	c.Is("1")(u.do(u.b().Bitcount().Key("b").Start(0).End(7).Bit().Build()).AsInt64())
	c.Is("[0 255]")(u.do(u.b().Bitfield().Key("{b}3").Set("u8", 0, 255).Get("u8", 0).Build()).AsIntSlice())
}

func (u users) hyperLogLogs(c *scenario.Check) {
	c.Is("true")(u.do(u.b().Pfadd().Key("{p}1").Element("a", "b").Build()).AsBool())
	c.Is("true")(u.do(u.b().Pfadd().Key("{p}2").Element("b", "c").Build()).AsBool())
	c.Is("3")(u.do(u.b().Pfcount().Key("{p}1", "{p}2").Build()).AsInt64())
}

func (u users) lists(c *scenario.Check) {
	c.Is("3")(u.do(u.b().Rpush().Key("{l}1").Element("a", "b", "c").Build()).AsInt64())
	c.Is("[a b c]")(u.do(u.b().Lrange().Key("{l}1").Start(0).Stop(-1).Build()).AsStrSlice())
	c.Is("{{l}1 [a b]}")(u.do(u.b().Lmpop().Numkeys(1).Key("{l}1").Left().Count(2).Build()).AsLMPop())
	done := make(chan rueidis.RedisResult, 1)
	go func() { done <- u.do(u.b().Blpop().Key("{q}1", "{q}2").Timeout(10).Build()) }()
	c.Is("1")(u.do(u.b().Rpush().Key("{q}2").Element("job").Build()).AsInt64())
	c.Is("[{q}2 job]")((<-done).AsStrSlice())
}

func (u users) hashes(c *scenario.Check) {
	c.Is("2")(u.do(u.b().Hset().Key("h").FieldValue().FieldValue("name", "ann").FieldValue("age", "30").Build()).AsInt64())
	c.Is("map[age:30 name:ann]")(u.do(u.b().Hgetall().Key("h").Build()).AsStrMap())
	c.Is("31")(u.do(u.b().Hincrby().Key("h").Field("age").Increment(1).Build()).AsInt64())
	page, err := u.do(u.b().Hscan().Key("h").Cursor(0).Build()).AsScanEntry()
	c.Is("0 4")(fmt.Sprint(page.Cursor, " ", len(page.Elements)), err)
}

func (u users) sets(c *scenario.Check) {
	c.Is("3")(u.do(u.b().Sadd().Key("{s}1").Member("a", "b", "c").Build()).AsInt64())
	c.Is("2")(u.do(u.b().Sadd().Key("{s}2").Member("b", "d").Build()).AsInt64())
	c.Is("[b]")(u.do(u.b().Sinter().Key("{s}1", "{s}2").Build()).AsStrSlice())
	c.Is("[1 0]")(u.do(u.b().Smismember().Key("{s}1").Member("a", "z").Build()).AsIntSlice())
}

func (u users) sortedSets(c *scenario.Check) {
	c.Is("2")(u.do(u.b().Zadd().Key("{z}1").ScoreMember().ScoreMember(1, "a").ScoreMember(2.5, "b").Build()).AsInt64())
	c.Is("[{a 1} {b 2.5}]")(u.do(u.b().Zrange().Key("{z}1").Min("0").Max("-1").Withscores().Build()).AsZScores())
	c.Is("{b 2.5}")(u.do(u.b().Zpopmax().Key("{z}1").Build()).AsZScore())
	c.Is("{{z}1 [{a 1}]}")(u.do(u.b().Zmpop().Numkeys(1).Key("{z}1").Min().Build()).AsZMPop())
}

func (u users) geo(c *scenario.Check) {
	c.Is("2")(u.do(u.b().Geoadd().Key("g").LongitudeLatitudeMember().LongitudeLatitudeMember(13.361389, 38.115556, "Palermo").
		LongitudeLatitudeMember(15.087269, 37.502669, "Catania").Build()).AsInt64())
	c.Is("166.2742")(u.do(u.b().Geodist().Key("g").Member1("Palermo").Member2("Catania").Km().Build()).AsFloat64())
	found, err := u.do(u.b().Geosearch().Key("g").Fromlonlat(15, 37).Byradius(200).Km().Asc().Withcoord().Withdist().Build()).AsGeosearch()
	if len(found) != 2 {
		c.Is("2 locations")(found, err)
		return
	}
	c.Is("Catania 56.4413 15.0873")(fmt.Sprintf("%s %.4f %.4f", found[0].Name, found[0].Dist, found[0].Longitude), err)
}

func (u users) streams(c *scenario.Check) {
	c.Is("1-1")(u.do(u.b().Xadd().Key("st").Id("1-1").FieldValue().FieldValue("name", "a").Build()).ToString())
	c.Is("1-2")(u.do(u.b().Xadd().Key("st").Id("1-2").FieldValue().FieldValue("name", "b").Build()).ToString())
	c.Is("OK")(u.do(u.b().XgroupCreate().Key("st").Group("g").Id("0").Build()).ToString())
	c.Is("map[st:[{1-1 map[name:a]} {1-2 map[name:b]}]]")(plain(u.do(u.b().Xreadgroup().Group("g", "ann").Streams().Key("st").Id(">").Build()).AsXRead()))
	c.Is("1")(u.do(u.b().Xack().Key("st").Group("g").Id("1-1").Build()).AsInt64())
	c.Is("[1 1-2 1-2 [[ann 1]]]")(u.do(u.b().Xpending().Key("st").Group("g").Build()).ToAny())
	done := make(chan rueidis.RedisResult, 1)
	go func() { done <- u.do(u.b().Xread().Block(10000).Streams().Key("{st}q").Id("0").Build()) }()
	c.Is("9-9")(u.do(u.b().Xadd().Key("{st}q").Id("9-9").FieldValue().FieldValue("k", "v").Build()).ToString())
	c.Is("map[{st}q:[{9-9 map[k:v]}]]")(plain((<-done).AsXRead()))
}

// plain leaves out what later servers add to entries.
func plain(streams map[string][]rueidis.XRangeEntry, err error) (any, error) {
	type entry struct {
		id     string
		fields map[string]string
	}
	all := make(map[string][]entry)
	for name, entries := range streams {
		for _, e := range entries {
			all[name] = append(all[name], entry{e.ID, e.FieldValues})
		}
	}
	return all, err
}

func (u users) scripts(c *scenario.Check) {
	// The first of them needs EVAL after EVALSHA.
	script := rueidis.NewLuaScript(`return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}`)
	for i := 1; i <= 2; i++ {
		c.Is(fmt.Sprintf("[lua x %d]", i))(script.Exec(u.ctx, u.r, []string{"lua"}, []string{"x"}).ToAny())
	}
}

func (u users) functions(c *scenario.Check) {
	for _, node := range u.r.Nodes() {
		c.Is("shop")(node.Do(u.ctx, node.B().FunctionLoad().Replace().FunctionCode(library).Build()).ToString())
	}
	c.Is("-3")(u.do(u.b().Fcall().Function("sell").Numkeys(1).Key("apples").Arg("3").Build()).AsInt64())
}

func (u users) transactions(c *scenario.Check) {
	c.Is("<nil>")(nil, u.r.Dedicated(func(d rueidis.DedicatedClient) error {
		c.Is("OK")(d.Do(u.ctx, d.B().Watch().Key("{t}n").Build()).ToString())
		c.Is("OK")(u.do(u.b().Set().Key("{t}n").Value("12").Build()).ToString()) // behind its back
		replies := d.DoMulti(u.ctx, d.B().Multi().Build(), d.B().Incr().Key("{t}n").Build(), d.B().Exec().Build())
		c.Is("true")(rueidis.IsRedisNil(replies[2].Error()), nil)
		replies = d.DoMulti(u.ctx, d.B().Multi().Build(), d.B().Incr().Key("{t}n").Build(), d.B().Sadd().Key("{t}s").Member("a").Build(), d.B().Exec().Build())
		c.Is("[13 1]")(replies[3].AsIntSlice())
		return nil
	}))
}

// hears subscribes with one client and publishes once it is told to.
func (u users) hears(c *scenario.Check, subscribe rueidis.Completed, times int, want string, publish func()) {
	r, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: u.addrs})
	if err != nil {
		c.Is("connected")("", err)
		return
	}
	defer r.Close()
	heard, subscribed := make(chan string, 10), make(chan struct{})
	ctx, cancel := context.WithCancel(rueidis.WithOnSubscriptionHook(u.ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "psubscribe" || s.Kind == "ssubscribe" {
			close(subscribed)
		}
	}))
	ended := make(chan error, 1)
	go func() {
		ended <- r.Receive(ctx, subscribe, func(m rueidis.PubSubMessage) { heard <- m.Channel + " " + m.Message })
	}()
	defer func() {
		cancel()
		<-ended
	}()
	select {
	case <-subscribed:
	case <-time.After(10 * time.Second):
		c.Is("subscribed")("not subscribed", nil)
		return
	}
	publish()
	for range times {
		select {
		case m := <-heard:
			c.Is(want)(m, nil)
		case <-time.After(10 * time.Second):
			c.Is(want)("nothing", nil)
		}
	}
}

func (u users) pubSub(c *scenario.Check) {
	nodes := u.r.Nodes()
	u.hears(c, u.b().Psubscribe().Pattern("news.*").Build(), len(nodes), "news.today rain", func() {
		for _, node := range nodes {
			c.Is("<nil>")(nil, node.Do(u.ctx, node.B().Publish().Channel("news.today").Message("rain").Build()).Error())
		}
	})
}

func (u users) sharded(c *scenario.Check) {
	u.hears(c, u.b().Ssubscribe().Channel("orders").Build(), 1, "orders one", func() {
		c.Is("1")(u.do(u.b().Spublish().Channel("orders").Message("one").Build()).AsInt64())
	})
}

// tracking keeps a value that is forgotten once another client has written.
func (u users) tracking(c *scenario.Check) {
	get := func() rueidis.RedisResult {
		return u.r.DoCache(u.ctx, u.b().Hget().Key("kept").Field("a").Cache(), time.Minute)
	}
	write := func(value string) {
		node, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: u.addrs, DisableCache: true})
		if err != nil {
			c.Is("connected")("", err)
			return
		}
		defer node.Close()
		c.Is("<nil>")(nil, node.Do(u.ctx, node.B().Hset().Key("kept").FieldValue().FieldValue("a", value).Build()).Error())
	}
	write("1")
	c.Is("1")(get().ToString())
	again := get()
	c.Is("true")(again.IsCacheHit(), nil)
	write("2")
	var got string
	for deadline := time.Now().Add(10 * time.Second); got != "2" && time.Now().Before(deadline); {
		got, _ = get().ToString() // the last one counts
	}
	c.Is("2")(got, nil)
}

// standalone uses a database of its own on a server that is no cluster.
func (u users) standalone(c *scenario.Check) {
	r, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{u.alone}, SelectDB: 9})
	if err != nil {
		c.Is("connected")("", err)
		return
	}
	defer r.Close()
	c.Is("OK")(r.Do(u.ctx, r.B().Flushdb().Build()).ToString())
	c.Is("2")(r.Do(u.ctx, r.B().Zadd().Key("zset").ScoreMember().ScoreMember(1, "a").ScoreMember(2, "b").Build()).AsInt64())
	c.Is("[{a 1} {b 2}]")(r.DoCache(u.ctx, r.B().Zrange().Key("zset").Min("0").Max("-1").Withscores().Cache(), time.Minute).AsZScores())
	c.Is("1")(r.Do(u.ctx, r.B().Move().Key("zset").Db(8).Build()).AsInt64())
	c.Is("0")(r.Do(u.ctx, r.B().Dbsize().Build()).AsInt64())
}
