package differential

// families are the patterns of each family; all are drawn equally often, except
// that those that stand first and twice fill the keys.
var families = []struct {
	name     string
	patterns []string
}{
	{"strings", []string{
		"SET {s} {string} [ NX | XX | GET ] [ EX {seconds} | PX {millis} | EXAT {at} | PXAT {msat} | KEEPTTL ] [ GET | NX ]", "SET {s} {string}",
		"SET {n} {int}", "( GET | GETDEL | STRLEN | INCR | DECR ) {s}", "( INCRBY | DECRBY ) {n} {int}", "INCRBYFLOAT ( {n} | {s} ) {float}", "INCRBYFLOAT {n} {float}",
		"( APPEND | GETSET | SETNX ) {s} {string}", "( GETRANGE | SUBSTR ) {s} {index} {index}", "SETRANGE {s} {offset} {string}",
		"SETEX {s} {seconds} {string}", "PSETEX {s} {millis} {string}", "GETEX {s} [ EX {seconds} | PX {millis} | EXAT {at} | PXAT {msat} | PERSIST ]",
		"( MSET | MSETNX ) ( {s} {string} ) +", "MGET {any} +", "LCS {s} {s} [ LEN ] [ IDX ] [ MINMATCHLEN {count} ] [ WITHMATCHLEN ]",
	}},
	{"bits", []string{
		"SETBIT {bits} {offset} {bit}", "SETBIT {bits} {offset} {bit}", "GETBIT {bits} {offset}", "SET {bits} {string}",
		"BITCOUNT {bits} [ {byte} {byte} [ BYTE | BIT ] ]", "BITPOS {bits} {bit} [ {byte} [ {byte} [ BYTE | BIT ] ] ]",
		"BITOP ( AND | OR | XOR ) {bits} {bits} +", "BITOP NOT {bits} {bits}", "BITFIELD_RO {bits} ( GET {fieldtype} {fieldoffset} ) *",
		"BITFIELD {bits} ( GET {fieldtype} {fieldoffset} | SET {fieldtype} {fieldoffset} {int} | INCRBY {fieldtype} {fieldoffset} {int} | OVERFLOW ( WRAP | SAT | FAIL ) ) +",
		"BITFIELD {bits} ( OVERFLOW ( WRAP | SAT | FAIL ) [ GET {fieldtype} {fieldoffset} ] INCRBY {fieldtype} {fieldoffset} {int} ) +",
	}},
	{"hyperloglogs", []string{
		"PFADD {hll} {element} *", "PFADD {hll} {element} +", "PFADD {hll} {element} {element} {element} {element} {element} {element} {element} {element} {element} {element}",
		"PFCOUNT {hll} +", "PFMERGE {hll} {hll} *", "PFADD {hll} {string} +", "STRLEN {hll}", "GET {hll}", "PFDEBUG ENCODING {hll}", "DEL {hll}",
	}},
	{"keys", []string{
		"EXPIRE {any} {seconds} [ NX | XX | GT | LT ]", "PEXPIRE {any} {millis}", "EXPIREAT {any} {at} [ NX | XX | GT | LT ] [ NX | LT ]",
		"PEXPIREAT {any} {msat} [ NX | XX | GT | LT ]", "( TTL | PTTL | EXPIRETIME | PEXPIRETIME | PERSIST | TYPE | DUMP ) {any}",
		"( DEL | UNLINK | EXISTS | TOUCH ) {any} +", "COPY {any} {any} [ DB {db} ] [ REPLACE ]", "( RENAME | RENAMENX ) {any} {any}", "MOVE {any} {db}",
		"SWAPDB {db} {db}", "SELECT {db}", "SELECT {db}", "DBSIZE", "RANDOMKEY", "KEYS {glob}", "SCAN {cursor} COUNT {big} [ MATCH {glob} ] [ TYPE {type} ]",
		"OBJECT ENCODING {any}", "OBJECT ( ENCODING | REFCOUNT | IDLETIME | FREQ ) {any}", "SCAN {cursor} ( COUNT {count} | MATCH | TYPE | BOGUS {count} )",
		"RESTORE {any} {millis} {junk} [ REPLACE ] [ ABSTTL ] [ IDLETIME {count} ] [ FREQ {count} ]",
	}},
	{"lists", []string{
		"( LPUSH | RPUSH ) {l} {string} +", "( LPUSH | RPUSH ) {l} {member} +", "( LPUSHX | RPUSHX ) {l} {member} +", "( LPOP | RPOP ) {l} [ {count} ]", "LLEN {l}", "LRANGE {l} {index} {index}",
		"LINDEX {l} {index}", "LSET {l} {index} {string}", "LINSERT {l} ( BEFORE | AFTER ) {member} {member}", "LREM {l} {limit} {member}",
		"LTRIM {l} {index} {index}", "LPOS {l} {member} [ RANK {rank} ] [ COUNT {count} ] [ MAXLEN {limit} ]", "RPOPLPUSH {l} {l}",
		"LMOVE {l} {l} ( LEFT | RIGHT ) ( LEFT | RIGHT )", "LMPOP {numkeys} {l} {l} ( LEFT | RIGHT ) [ COUNT {count} ]", "( BLPOP | BRPOP ) {l} {l} {one}",
	}},
	{"hashes", []string{
		"( HSET | HMSET ) {h} ( {member} {string} ) +", "HSET {h} ( {member} {int} ) +", "HSETNX {h} {member} {string}", "( HDEL | HMGET ) {h} {member} +", "( HGET | HEXISTS | HSTRLEN ) {h} {member}",
		"( HLEN | HKEYS | HVALS | HGETALL ) {h}", "HINCRBY {h} {member} {int}", "HINCRBYFLOAT {h} {member} {float}",
		"HSCAN {h} {cursor} COUNT {big} [ MATCH {glob} ]", "HRANDFIELD {h} ( {big} | {negative} ) [ WITHVALUES ]", "HRANDFIELD {h} [ {count} [ WITHVALUES ] ]", "HSCAN {h} {cursor} [ COUNT {limit} ] [ TYPE {type} ]",
	}},
	{"sets", []string{
		"SADD {m} {member} +", "SADD {m} {member} +", "SREM {m} {member} +", "SMISMEMBER {m} {member} +", "SISMEMBER {m} {member}", "( SCARD | SMEMBERS ) {m}", "SMOVE {m} {m} {member}",
		"( SINTER | SUNION | SDIFF ) {m} +", "( SINTERSTORE | SUNIONSTORE | SDIFFSTORE ) {m} {m} +", "SINTERCARD {numkeys} {m} {m} [ LIMIT {limit} ]",
		"SSCAN {m} {cursor} COUNT {big} [ MATCH {glob} ]", "SRANDMEMBER {m} ( {big} | {negative} )", "SPOP {m} {big}", "SRANDMEMBER {m} [ {count} ]", "SPOP {neither} [ {count} ]",
	}},
	{"zsets", []string{
		"ZADD {z} [ NX | XX ] [ GT | LT ] [ CH ] [ INCR ] ( {score} {member} ) +", "ZADD {z} ( {score} {member} ) +", "ZADD {z} ( {score} {member} ) +", "ZINCRBY {z} {score} {member}", "( ZCARD ) {z}", "ZMSCORE {z} {member} +",
		"( ZRANK | ZREVRANK | ZSCORE ) {z} {member}", "ZREM {z} {member} +", "ZSCAN {z} {cursor} COUNT {big} [ MATCH {glob} ]", "ZRANDMEMBER {z} ( {big} | {negative} ) [ WITHSCORES ]", "ZRANDMEMBER {z} [ {count} [ WITHSCORES ] ]",
		"( ZUNION | ZINTER ) {numkeys} ( {z} | {m} ) {z} [ WEIGHTS {weight} {weight} ] [ AGGREGATE ( SUM | MIN | MAX ) ] [ WITHSCORES ]", "ZDIFF {numkeys} {z} ( {z} | {m} ) [ WITHSCORES ]",
		"( ZUNIONSTORE | ZINTERSTORE ) {z} {numkeys} ( {z} | {m} ) {z} [ WEIGHTS {weight} {weight} ] [ AGGREGATE ( SUM | MIN | MAX ) ]", "ZDIFFSTORE {z} {numkeys} {z} {z}",
		"ZINTERCARD {numkeys} {z} {z} [ LIMIT {limit} ]", "( ZPOPMIN | ZPOPMAX ) {z} [ {count} ]", "ZMPOP {numkeys} {z} {z} ( MIN | MAX ) [ COUNT {count} ]",
		"ZRANGE {z} {index} {index} [ REV ] [ WITHSCORES ]", "ZRANGE {z} {scorebound} {scorebound} BYSCORE [ REV ] [ LIMIT {limit} {limit} ] [ WITHSCORES ]",
		"ZRANGESTORE {z} {z} {index} {index} [ REV ]",
		"ZRANGESTORE {z} {z} {scorebound} {scorebound} BYSCORE [ REV ] [ LIMIT {limit} {limit} ]",
		"( ZRANGEBYSCORE | ZREVRANGEBYSCORE ) {z} {scorebound} {scorebound} [ WITHSCORES ] [ LIMIT {limit} {limit} ]",
		"ZREVRANGE {z} {index} {index} [ WITHSCORES ]", "ZCOUNT {z} {scorebound} {scorebound}",
		"ZREMRANGEBYRANK {z} {index} {index}", "ZREMRANGEBYSCORE {z} {scorebound} {scorebound}", "( BZPOPMIN | BZPOPMAX ) {z} {z} {one}",
	}},
	// By name only where all scores are equal: otherwise the result is unspecified.
	{"lex", []string{
		"ZADD {y} 0 {member} 0 {member} 0 {member} 0 {member}", "ZADD {y} ( 0 {member} ) +", "ZREM {y} {member}", "ZRANGE {y} {lexbound} {lexbound} BYLEX [ REV ] [ LIMIT {limit} {limit} ]", "ZRANGESTORE {y} {y} {lexbound} {lexbound} BYLEX [ REV ] [ LIMIT {limit} {limit} ]",
		"( ZRANGEBYLEX | ZREVRANGEBYLEX ) {y} {lexbound} {lexbound} [ LIMIT {limit} {limit} ]", "ZLEXCOUNT {y} {lexbound} {lexbound}", "ZREMRANGEBYLEX {y} {lexbound} {lexbound}",
	}},
	{"geo", []string{
		"GEOADD {geo} [ NX | XX ] [ CH ] ( {lon} {lat} {place} ) +", "GEOADD {geo} ( {lon} {lat} {place} ) +", "GEODIST {geo} {place} {place} [ {unit} ]", "( GEOHASH | GEOPOS ) {geo} {place} *",
		"GEOSEARCH {geo} ( FROMMEMBER {place} | FROMLONLAT {lon} {lat} ) ( BYRADIUS {radius} {unit} | BYBOX {radius} {radius} {unit} ) ( ASC | DESC ) [ COUNT {count} ] [ WITHCOORD ] [ WITHDIST ] [ WITHHASH ]",
		"GEOSEARCHSTORE {z} {geo} ( FROMMEMBER {place} | FROMLONLAT {lon} {lat} ) ( BYRADIUS {radius} {unit} | BYBOX {radius} {radius} {unit} ) ( ASC | DESC ) [ COUNT {count} ]",
		"GEORADIUS {geo} {lon} {lat} {radius} {unit} [ WITHCOORD ] [ WITHDIST ] [ WITHHASH ] [ COUNT {count} ] ( ASC | DESC ) [ STORE {z} ]",
		"( GEORADIUSBYMEMBER | GEORADIUSBYMEMBER_RO ) {geo} {place} {radius} {unit} [ WITHCOORD ] [ WITHDIST ] [ COUNT {count} ] ( ASC | DESC )",
	}},
	{"streams", []string{
		"XADD {x} [ NOMKSTREAM ] [ MAXLEN [ = ] {count} ] {newid} ( {member} {string} ) +", "XADD {x} {newid} ( {member} {string} ) +", "XADD {x} {newid} f {string} g {string}", "XADD {x} {newid} f {string}",
		"XTRIM {x} ( MAXLEN | MINID ) [ = ] {count}", "XDEL {x} {id} +", "XLEN {x}", "XRANGE {x} {edge} {edge} [ COUNT {count} ]", "XREVRANGE {x} {edge} {edge} [ COUNT {count} ]",
		"XREAD [ COUNT {count} ] STREAMS {x} {x} {id} {id}", "XREADGROUP GROUP {group} {consumer} [ COUNT {count} ] [ NOACK ] STREAMS {x} ( > | > | {id} )",
		"XREADGROUP GROUP {group} {consumer} STREAMS {x} >", "XACK {x} {group} {id} +", "XGROUP CREATE {x} {group} ( 0 | $ | {id} ) [ MKSTREAM ] [ ENTRIESREAD {limit} ]",
		"XGROUP CREATE {x} {group} 0 MKSTREAM", "XGROUP CREATECONSUMER {x} {group} {consumer}", "XGROUP DELCONSUMER {x} {group} {consumer}",
		"XGROUP SETID {x} {group} ( 0 | $ | {id} ) [ ENTRIESREAD {limit} ]", "XCLAIM {x} {group} {consumer} {idle} {id} + [ IDLE {count} ] [ TIME {msat} ] [ RETRYCOUNT {count} ] [ FORCE ] [ JUSTID ] [ LASTID {id} ]",
		"XAUTOCLAIM {x} {group} {consumer} {idle} {edge} [ COUNT {count} ] [ JUSTID ]", "XPENDING {x} {group} [ [ IDLE {idle} ] {edge} {edge} {count} [ {consumer} ] ]",
		"XINFO STREAM {x} [ FULL [ COUNT {count} ] ]", "XINFO GROUPS {x}", "XINFO CONSUMERS {x} {group}", "XSETID {x} {freshid} [ ENTRIESADDED {count} ] [ MAXDELETEDID {id} ]",
	}},
	{"sort", []string{
		"( SORT | SORT_RO ) ( {t} | {m} | {z} ) ALPHA [ ASC | DESC ] [ LIMIT {limit} {limit} ]", "SORT ( {t} | {m} | {z} ) [ LIMIT {limit} {limit} ] ( GET {get} ) * [ ASC | DESC ] ALPHA STORE {t}",
		"SORT ( {t} | {m} ) [ DESC ] [ LIMIT {limit} {limit} ]", "SORT {t} BY nosort ( GET {get} ) *", "SORT {z} BY nosort [ DESC ] [ LIMIT {limit} {limit} ] ( GET {get} ) *",
		"RPUSH {t} {int} +", "RPUSH {t} {text} +", "( DEL | LPOP ) {t}", "SORT ( {t} | {m} ) BY {by} [ DESC ] [ LIMIT {limit} {limit} ]", "SORT {t} BY {by} ALPHA", "SADD {m} {int} +",
	}},
}
