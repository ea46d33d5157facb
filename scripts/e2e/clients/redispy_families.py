"""Goes through the families of commands with the typed calls of redis-py."""

import threading
import traceback

import redis
from redis.cluster import ClusterNode, RedisCluster

LIBRARY = """#!lua name=shop
redis.register_function('sell', function(keys, args) return redis.call('DECRBY', keys[1], args[1]) end)
redis.register_function{function_name='stock', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}"""


def same(got, want):
    assert got == want, f"{got!r}, not {want!r}"


def fails(text, call):
    try:
        got = call()
    except redis.RedisError as err:
        assert text in str(err), f"{err}, not {text}"
    else:
        raise AssertionError(f"{got!r}, not the error {text}")


def later(call):
    """Makes a call that blocks; what is returned waits for its result."""
    result = []
    thread = threading.Thread(target=lambda: result.append(call()), daemon=True)
    thread.start()

    def wait():
        thread.join(20)
        return result[0]

    return wait


class Families:
    def __init__(self, alone, addrs):
        nodes = [ClusterNode(*addr.split(":")) for addr in addrs]
        self.alone = alone.split(":")
        self.r = RedisCluster(startup_nodes=nodes, decode_responses=True)

    def connections(self):
        return [self.r.get_redis_connection(node) for node in self.r.get_primaries()]

    def strings(self):
        r = self.r
        same(r.set("s", "hello", ex=100), True)
        same(r.append("s", " world"), 11)
        same(r.getrange("s", 6, -1), "world")
        same(r.incrbyfloat("float", 2.5), 2.5)
        same(r.setnx("s", "x"), False)
        same(r.mset({"{m}1": "a", "{m}2": "b"}), True)
        same(r.mget("{m}1", "{m}2", "{m}3"), ["a", "b", None])
        same(r.mset_nonatomic({"one": 1, "two": 2}), [True, True])
        same(r.getdel("s"), "hello world")
        r.set("s", "x")
        fails("Operation against a key holding the wrong kind of value", lambda: r.lpush("s", "x"))

    def bitmaps(self):
        r = self.r
        same(r.setbit("{b}1", 7, 1), 0)
        same(r.bitcount("{b}1", 0, 7, "BIT"), 1)
        same(r.bitpos("{b}1", 1), 7)
        same(r.bitop("NOT", "{b}2", "{b}1"), 1)
        same(r.bitfield("{b}3").set("u8", "#0", 255).get("u8", "#0").execute(), [0, 255])

    def hyperloglogs(self):
        r = self.r
        same(r.pfadd("{p}1", "a", "b", "c"), 1)
        same(r.pfadd("{p}2", "c", "d"), 1)
        same(r.pfcount("{p}1", "{p}2"), 4)
        same(r.pfmerge("{p}3", "{p}1", "{p}2"), True)

    def lists(self):
        r = self.r
        same(r.rpush("{l}1", "a", "b", "c"), 3)
        same(r.lrange("{l}1", 0, -1), ["a", "b", "c"])
        same(r.lpos("{l}1", "b"), 1)
        same(r.lmove("{l}1", "{l}2", "RIGHT", "LEFT"), "c")
        same(r.lmpop(2, "{l}0", "{l}1", direction="LEFT", count=2), ["{l}1", ["a", "b"]])
        job = later(lambda: r.blpop(["{q}1", "{q}2"], 10))
        same(r.rpush("{q}2", "job"), 1)
        same(job(), ("{q}2", "job"))
        same(r.blpop(["{q}1"], 0.01), None)

    def hashes(self):
        r = self.r
        same(r.hset("h", mapping={"name": "ann", "age": 30}), 2)
        same(r.hgetall("h"), {"name": "ann", "age": "30"})
        same(r.hincrby("h", "age", 1), 31)
        same(r.hmget("h", "name", "none"), ["ann", None])
        same(len(r.hrandfield("h", -4, withvalues=True)), 8)
        same(dict(r.hscan_iter("h")), {"name": "ann", "age": "31"})

    def sets(self):
        r = self.r
        same(r.sadd("{s}1", "a", "b", "c"), 3)
        same(r.sadd("{s}2", "b", "d"), 2)
        same(r.sinter("{s}1", "{s}2"), {"b"})
        same(r.sintercard(2, ["{s}1", "{s}2"]), 1)
        same(r.sunionstore("{s}3", "{s}1", "{s}2"), 4)
        same(r.smismember("{s}1", ["a", "z"]), [1, 0])
        same(len(r.spop("{s}3", 3)), 3)
        same(set(r.sscan_iter("{s}1")), {"a", "b", "c"})

    def sortedsets(self):
        r = self.r
        same(r.zadd("{z}1", {"a": 1, "b": 2.5, "c": float("inf")}), 3)
        got = r.zrange("{z}1", "+inf", 2, desc=True, byscore=True, withscores=True)
        same(got, [("c", float("inf")), ("b", 2.5)])
        same(r.zmscore("{z}1", ["a", "none"]), [1.0, None])
        same(r.zunionstore("{z}2", {"{z}1": 2}), 3)
        same(r.zpopmin("{z}2"), [("a", 2.0)])
        same(r.zmpop(1, ["{z}2"], min=True), ["{z}2", [["b", "5"]]])
        job = later(lambda: r.bzpopmin("{z}q", 10))
        same(r.zadd("{z}q", {"job": 7}), 1)
        same(job(), ("{z}q", "job", 7.0))

    def geo(self):
        r = self.r
        places = (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
        same(r.geoadd("g", places), 2)
        same(r.geodist("g", "Palermo", "Catania", "km"), 166.2742)
        got = r.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC", withdist=True)
        same(got, [["Catania", 56.4413], ["Palermo", 190.4424]])

    def streams(self):
        r = self.r
        for i, name in enumerate("abc"):
            same(r.xadd("st", {"name": name}, f"1-{i + 1}"), f"1-{i + 1}")
        same(r.xgroup_create("st", "g", "0"), True)
        got = r.xreadgroup("g", "ann", {"st": ">"}, count=2)
        same(got, [["st", [("1-1", {"name": "a"}), ("1-2", {"name": "b"})]]])
        same(r.xack("st", "g", "1-1"), 1)
        want = {"pending": 1, "min": "1-2", "max": "1-2", "consumers": [{"name": "ann", "pending": 1}]}
        same(r.xpending("st", "g"), want)
        same(r.xautoclaim("st", "g", "bob", 0), ["0-0", [("1-2", {"name": "b"})], []])
        want = {"name": "g", "consumers": 2, "pending": 1, "last-delivered-id": "1-2", "entries-read": 2, "lag": 1}
        same(r.xinfo_groups("st"), [want])
        same(r.xinfo_stream("st")["length"], 3)
        same(r.xinfo_stream("st", full=True)["length"], 3)
        message = later(lambda: r.xread({"{st}q": "0"}, block=10000))
        same(r.xadd("{st}q", {"k": "v"}, "9-9"), "9-9")
        same(message(), [["{st}q", [("9-9", {"k": "v"})]]])
        same(r.xtrim("st", 1, approximate=False), 2)

    def scripts(self):
        r = self.r
        script = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1]), false, {ok='fine'}}"
        same(r.eval(script, 1, "lua", "x"), ["lua", "x", 1, None, "fine"])
        sha = r.script_load(script)
        same(r.evalsha(sha, 1, "lua", "y"), ["lua", "y", 2, None, "fine"])
        fails("No matching script", lambda: r.evalsha("0" * 40, 1, "lua"))

    def functions(self):
        for c in self.connections():
            same(c.function_load(LIBRARY, replace=True), "shop")
        same(self.r.fcall("sell", 1, "apples", 3), -3)
        same(self.r.fcall_ro("stock", 1, "apples"), "-3")

    def transactions(self):
        c = self.r.get_redis_connection(self.r.get_node_from_key("{t}n"))
        c.set("{t}n", 11)
        with c.pipeline() as p:
            p.watch("{t}n")
            n = int(p.get("{t}n"))
            c.set("{t}n", 12)  # behind its back
            p.multi()
            p.set("{t}n", n)
            fails("Watched variable changed", p.execute)
        with c.pipeline() as p:
            same(p.incr("{t}n").hset("{t}h", "a", 1).zrange("{t}z", 0, -1).execute(), [13, 1, []])

    def pubsub(self):
        s = self.r.pubsub()
        s.psubscribe("news.*")
        same(s.get_message(timeout=10)["type"], "psubscribe")
        for c in self.connections():
            c.publish("news.today", "rain")
        for _ in range(3):
            m = s.get_message(timeout=10)
            same((m["type"], m["pattern"], m["channel"], m["data"]), ("pmessage", "news.*", "news.today", "rain"))
        s.close()

    def standalone(self):
        c = redis.Redis(*self.alone, db=9, decode_responses=True)
        same(c.flushdb(), True)
        same(c.zadd("zset", {"a": 1, "b": 2}), 2)
        same(c.zrange("zset", 0, -1, withscores=True), [("a", 1.0), ("b", 2.0)])
        same(c.move("zset", 8), True)
        same(c.dbsize(), 0)
        other = redis.Redis(*self.alone, db=8, decode_responses=True)
        same(other.zscore("zset", "b"), 2.0)
        same(other.flushdb(), True)


def run(alone, addrs):
    f = Families(alone, addrs)
    for name in (
        "strings bitmaps hyperloglogs lists hashes sets sortedsets geo streams "
        "scripts functions transactions pubsub standalone"
    ).split():
        try:
            getattr(f, name)()
            print(f"{name} ok", flush=True)
        except Exception:
            print(f"{name}:", " | ".join(traceback.format_exc().splitlines()), flush=True)
