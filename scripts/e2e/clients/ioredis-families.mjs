// Goes through the families of commands with the typed calls of ioredis.
import { deepStrictEqual as is, rejects } from 'node:assert'
import { once } from 'node:events'
import { Cluster, Redis } from 'ioredis'
import { library, run } from './families.mjs'

export async function families(alone, addrs) {
  const at = addr => ({ host: addr.split(':')[0], port: Number(addr.split(':')[1]) })
  const open = options => {
    const c = new Cluster(addrs.map(at), options)
    c.on('error', err => { console.error(err); process.exit(1) })
    return c
  }
  const r = open({ enableAutoPipelining: true })
  // What blocks keeps a connection to itself.
  const second = open()

  await run({
    async strings() {
      is(await r.set('s', 'hello', 'EX', 100), 'OK')
      is(await r.append('s', ' world'), 11)
      is(await r.getrange('s', 6, -1), 'world')
      is(await r.incrbyfloat('float', 2.5), '2.5')
      is(await r.setnx('s', 'x'), 0)
      is(await r.mset({ '{m}1': 'a', '{m}2': 'b' }), 'OK')
      is(await r.mget('{m}1', '{m}2', '{m}3'), ['a', 'b', null])
      is(await r.getdel('s'), 'hello world')
      is(await r.get('s'), null)
      is(await r.setBuffer('s', Buffer.from([0, 255, 13, 10])), Buffer.from('OK'))
      is(await r.getBuffer('s'), Buffer.from([0, 255, 13, 10]))
      await rejects(r.lpush('s', 'x'), /WRONGTYPE Operation against a key holding the wrong kind of value/)
    },
    async bitmaps() {
      is(await r.setbit('{b}1', 7, 1), 0)
      is(await r.bitcount('{b}1', 0, 7, 'BIT'), 1)
      is(await r.bitpos('{b}1', 1), 7)
      is(await r.bitop('NOT', '{b}2', '{b}1'), 1)
      is(await r.bitfield('{b}3', 'SET', 'u8', '#0', 255, 'GET', 'u8', '#0'), [0, 255])
    },
    async hyperloglogs() {
      is(await r.pfadd('{p}1', 'a', 'b', 'c'), 1)
      is(await r.pfadd('{p}2', 'c', 'd'), 1)
      is(await r.pfcount('{p}1', '{p}2'), 4)
      is(await r.pfmerge('{p}3', '{p}1', '{p}2'), 'OK')
    },
    async lists() {
      is(await r.rpush('{l}1', 'a', 'b', 'c'), 3)
      is(await r.lrange('{l}1', 0, -1), ['a', 'b', 'c'])
      is(await r.lpos('{l}1', 'b'), 1)
      is(await r.lmove('{l}1', '{l}2', 'RIGHT', 'LEFT'), 'c')
      is(await r.lmpop(2, '{l}0', '{l}1', 'LEFT', 'COUNT', 2), ['{l}1', ['a', 'b']])
      const job = second.blpop('{q}1', '{q}2', 10)
      is(await r.rpush('{q}2', 'job'), 1)
      is(await job, ['{q}2', 'job'])
      is(await second.blmove('{q}1', '{q}2', 'LEFT', 'RIGHT', 0.01), null)
    },
    async hashes() {
      is(await r.hset('h', { name: 'ann', age: 30 }), 2)
      is(await r.hgetall('h'), { name: 'ann', age: '30' })
      is(await r.hincrby('h', 'age', 1), 31)
      is(await r.hmget('h', 'name', 'none'), ['ann', null])
      is((await r.hrandfield('h', -4, 'WITHVALUES')).length, 8)
      is((await r.hscan('h', 0))[1].length, 4)
    },
    async sets() {
      is(await r.sadd('{s}1', 'a', 'b', 'c'), 3)
      is(await r.sadd('{s}2', 'b', 'd'), 2)
      is(await r.sinter('{s}1', '{s}2'), ['b'])
      is(await r.sintercard(2, '{s}1', '{s}2'), 1)
      is(await r.sunionstore('{s}3', '{s}1', '{s}2'), 4)
      is(await r.smismember('{s}1', 'a', 'z'), [1, 0])
      is((await r.spop('{s}3', 3)).length, 3)
      const members = []
      for await (const page of r.sscanStream('{s}1')) members.push(...page)
      is(members.sort(), ['a', 'b', 'c'])
    },
    async sortedsets() {
      is(await r.zadd('{z}1', 1, 'a', 2.5, 'b', '+inf', 'c'), 3)
      is(await r.zrange('{z}1', '+inf', 2, 'BYSCORE', 'REV', 'WITHSCORES'), ['c', 'inf', 'b', '2.5'])
      is(await r.zmscore('{z}1', 'a', 'none'), ['1', null])
      is(await r.zunionstore('{z}2', 1, '{z}1', 'WEIGHTS', 2), 3)
      is(await r.zpopmin('{z}2'), ['a', '2'])
      is(await r.zmpop(1, '{z}2', 'MIN'), ['{z}2', [['b', '5']]])
      const job = second.bzpopmin('{z}q', 10)
      is(await r.zadd('{z}q', 7, 'job'), 1)
      is(await job, ['{z}q', 'job', '7'])
    },
    async geo() {
      is(await r.geoadd('g', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania'), 2)
      is(await r.geodist('g', 'Palermo', 'Catania', 'km'), '166.2742')
      const found = await r.geosearch('g', 'FROMLONLAT', 15, 37, 'BYRADIUS', 200, 'km', 'ASC', 'WITHDIST')
      is(found, [['Catania', '56.4413'], ['Palermo', '190.4424']])
    },
    async streams() {
      for (const [i, name] of ['a', 'b', 'c'].entries()) is(await r.xadd('st', `1-${i + 1}`, 'name', name), `1-${i + 1}`)
      is(await r.xgroup('CREATE', 'st', 'g', '0'), 'OK')
      const read = id => r.xreadgroup('GROUP', 'g', 'ann', 'COUNT', 2, 'STREAMS', 'st', id)
      is(await read('>'), [['st', [['1-1', ['name', 'a']], ['1-2', ['name', 'b']]]]])
      is(await r.xack('st', 'g', '1-1'), 1)
      is(await read('0'), [['st', [['1-2', ['name', 'b']]]]])
      is(await r.xpending('st', 'g'), [1, '1-2', '1-2', [['ann', '1']]])
      is(await r.xautoclaim('st', 'g', 'bob', 0, '0'), ['0-0', [['1-2', ['name', 'b']]], []])
      is(await r.xinfo('GROUPS', 'st'), [['name', 'g', 'consumers', 2, 'pending', 1, 'last-delivered-id', '1-2', 'entries-read', 2, 'lag', 1]])
      const message = second.xread('BLOCK', 10000, 'STREAMS', '{st}q', '0')
      is(await r.xadd('{st}q', '9-9', 'k', 'v'), '9-9')
      is(await message, [['{st}q', [['9-9', ['k', 'v']]]]])
      is(await r.xtrim('st', 'MAXLEN', 1), 2)
    },
    async scripts() {
      // The library sends EVALSHA, and EVAL where a node doesn't know it.
      r.defineCommand('tally', { numberOfKeys: 1, lua: `return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1]), false, {ok='fine'}}` })
      for (let i = 1; i <= 2; i++) is(await r.tally('lua', 'x'), ['lua', 'x', i, null, 'fine'])
      await rejects(r.eval_ro(`return redis.call('SET', KEYS[1], 1)`, 1, 'lua'), /Write commands are not allowed from read-only scripts/)
    },
    async functions() {
      for (const node of r.nodes('master')) is(await node.function('LOAD', 'REPLACE', library), 'shop')
      is(await r.fcall('sell', 1, 'apples', 3), -3)
      is(await r.fcall_ro('stock', 1, 'apples'), '-3')
    },
    async transactions() {
      await r.set('{t}n', '11')
      is(await r.multi().incr('{t}n').hset('{t}h', 'a', '1').zrange('{t}z', 0, -1).exec(), [[null, 12], [null, 1], [null, []]])
      const [failed, done] = await r.multi().incr('{t}h').incr('{t}n').exec()
      is([/^WRONGTYPE/.test(failed[0].message), done], [true, [null, 13]])
    },
    async pubsub() {
      const s = open()
      const heard = inbox(s, 'pmessage')
      is(await s.psubscribe('news.*'), 1)
      for (const node of r.nodes('master')) await node.publish('news.today', 'rain')
      for (let i = 0; i < 3; i++) is(await heard(), ['news.*', 'news.today', 'rain'])
      s.disconnect()
    },
    async standalone() {
      const c = new Redis({ ...at(alone), db: 9 })
      is(await c.flushdb(), 'OK')
      is(await c.zadd('zset', 1, 'a', 2, 'b'), 2)
      is(await c.zrange('zset', 0, -1, 'WITHSCORES'), ['a', '1', 'b', '2'])
      is(await c.move('zset', 8), 1)
      is(await c.dbsize(), 0)
      await c.select(8)
      is(await c.zscore('zset', 'b'), '2')
      is(await c.flushdb(), 'OK')
      await c.quit()
    },
    async sharded() {
      const s = open({ shardedSubscribers: true })
      if (s.status !== 'ready') await once(s, 'ready')
      const heard = inbox(s, 'smessage')
      is(await s.ssubscribe('orders'), 1)
      is(await r.spublish('orders', 'one'), 1)
      is((await heard()).slice(0, 2), ['orders', 'one'])
      s.disconnect()
    },
  })
  second.disconnect()
  r.disconnect()
}

// inbox is read in turn, also before something is in it.
function inbox(emitter, event) {
  const messages = [], waiting = []
  emitter.on(event, (...m) => waiting.length ? waiting.shift()(m) : messages.push(m))
  return () => messages.length ? messages.shift() : new Promise(resolve => waiting.push(resolve))
}
