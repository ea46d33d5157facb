// Goes through the families of commands with the typed calls of node-redis.
import { deepStrictEqual as is, rejects } from 'node:assert'
import { BasicClientSideCache, BasicPooledClientSideCache, createClient, createCluster } from 'redis'
import { library, run } from './families.mjs'

export async function families(alone, addrs) {
  const rootNodes = addrs.map(addr => ({ url: `redis://${addr}` }))
  const r = createCluster({ rootNodes, RESP: 3 })
  r.on('error', err => { console.error(err); process.exit(1) })
  await r.connect()
  // What blocks keeps a connection to itself.
  const second = createCluster({ rootNodes, RESP: 3 })
  await second.connect()
  const masters = () => Promise.all(r.masters.map(m => r.nodeClient(m)))

  await run({
    async strings() {
      is(await r.set('s', 'hello', { expiration: { type: 'EX', value: 100 } }), 'OK')
      is(await r.append('s', ' world'), 11)
      is(await r.getRange('s', 6, -1), 'world')
      is(await r.incrByFloat('float', 2.5), '2.5')
      is(await r.setNX('s', 'x'), 0)
      is(await r.mSet([['{m}1', 'a'], ['{m}2', 'b']]), 'OK')
      is(await r.mGet(['{m}1', '{m}2', '{m}3']), ['a', 'b', null])
      is(await r.getDel('s'), 'hello world')
      is(await r.get('s'), null)
      await r.set('s', 'x')
      await rejects(r.lPush('s', 'x'), /^.*WRONGTYPE Operation against a key holding the wrong kind of value$/)
    },
    async bitmaps() {
      is(await r.setBit('{b}1', 7, 1), 0)
      is(await r.bitCount('{b}1', { start: 0, end: 7, mode: 'BIT' }), 1)
      is(await r.bitPos('{b}1', 1), 7)
      is(await r.bitOp('NOT', '{b}2', '{b}1'), 1)
      is(await r.bitField('{b}3', [{ operation: 'SET', encoding: 'u8', offset: '#0', value: 255 }, { operation: 'GET', encoding: 'u8', offset: '#0' }]), [0, 255])
    },
    async hyperloglogs() {
      is(await r.pfAdd('{p}1', ['a', 'b', 'c']), 1)
      is(await r.pfAdd('{p}2', ['c', 'd']), 1)
      is(await r.pfCount(['{p}1', '{p}2']), 4)
      is(await r.pfMerge('{p}3', ['{p}1', '{p}2']), 'OK')
    },
    async lists() {
      is(await r.rPush('{l}1', ['a', 'b', 'c']), 3)
      is(await r.lRange('{l}1', 0, -1), ['a', 'b', 'c'])
      is(await r.lPos('{l}1', 'b'), 1)
      is(await r.lMove('{l}1', '{l}2', 'RIGHT', 'LEFT'), 'c')
      is(await r.lmPop(['{l}0', '{l}1'], 'LEFT', { COUNT: 2 }), ['{l}1', ['a', 'b']])
      const job = second.blPop(['{q}1', '{q}2'], 10)
      is(await r.rPush('{q}2', 'job'), 1)
      is({ ...await job }, { key: '{q}2', element: 'job' })
      is(await second.blMove('{q}1', '{q}2', 'LEFT', 'RIGHT', 0.01), null)
    },
    async hashes() {
      is(await r.hSet('h', { name: 'ann', age: '30' }), 2)
      is({ ...await r.hGetAll('h') }, { name: 'ann', age: '30' })
      is(await r.hIncrBy('h', 'age', 1), 31)
      is(await r.hmGet('h', ['name', 'none']), ['ann', null])
      is((await r.hRandFieldCountWithValues('h', -4)).length, 4)
      is((await r.hScan('h', '0')).entries.length, 2)
    },
    async sets() {
      is(await r.sAdd('{s}1', ['a', 'b', 'c']), 3)
      is(await r.sAdd('{s}2', ['b', 'd']), 2)
      is([...await r.sInter(['{s}1', '{s}2'])], ['b'])
      is(await r.sInterCard(['{s}1', '{s}2'], 10), 1)
      is(await r.sUnionStore('{s}3', ['{s}1', '{s}2']), 4)
      is(await r.smIsMember('{s}1', ['a', 'z']), [1, 0])
      is((await r.sPopCount('{s}3', 3)).length, 3)
    },
    async sortedsets() {
      is(await r.zAdd('{z}1', [{ score: 1, value: 'a' }, { score: 2.5, value: 'b' }, { score: Infinity, value: 'c' }]), 3)
      is(await r.zRangeWithScores('{z}1', '+inf', '2', { BY: 'SCORE', REV: true }), [{ value: 'c', score: Infinity }, { value: 'b', score: 2.5 }])
      is(await r.zScore('{z}1', 'b'), 2.5)
      is({ ...await r.zRankWithScore('{z}1', 'b') }, { rank: 1, score: 2.5 })
      is(await r.zmScore('{z}1', ['a', 'none']), [1, null])
      is(await r.zUnionStore('{z}2', [{ key: '{z}1', weight: 2 }]), 3)
      is({ ...await r.zPopMin('{z}2') }, { value: 'a', score: 2 })
      const popped = await r.zmPop(['{z}2'], 'MIN', { COUNT: 1 })
      is([popped.key, popped.members], ['{z}2', [{ value: 'b', score: 5 }]])
      const job = second.bzPopMin('{z}q', 10)
      is(await r.zAdd('{z}q', { score: 7, value: 'job' }), 1)
      is({ ...await job }, { key: '{z}q', value: 'job', score: 7 })
    },
    async geo() {
      is(await r.geoAdd('g', [{ member: 'Palermo', longitude: 13.361389, latitude: 38.115556 }, { member: 'Catania', longitude: 15.087269, latitude: 37.502669 }]), 2)
      is(await r.geoDist('g', 'Palermo', 'Catania', 'km'), 166.2742)
      const found = await r.geoSearchWith('g', { longitude: 15, latitude: 37 }, { radius: 200, unit: 'km' }, ['WITHDIST', 'WITHCOORD'], { SORT: 'ASC' })
      is(found.map(f => [f.member, f.distance, Number(f.coordinates.longitude).toFixed(4)]), [['Catania', 56.4413, '15.0873'], ['Palermo', 190.4424, '13.3614']])
    },
    async streams() {
      for (const [i, name] of ['a', 'b', 'c'].entries()) is(await r.xAdd('st', `1-${i + 1}`, { name }), `1-${i + 1}`)
      is(await r.xGroupCreate('st', 'g', '0'), 'OK')
      const read = async id => (await r.xReadGroup('g', 'ann', { key: 'st', id }, { COUNT: 2 }))[0].messages.map(m => `${m.id}=${m.message.name}`)
      is(await read('>'), ['1-1=a', '1-2=b'])
      is(await r.xAck('st', 'g', '1-1'), 1)
      is(await read('0'), ['1-2=b'])
      const pending = await r.xPending('st', 'g')
      is([pending.pending, pending.firstId, pending.lastId], [1, '1-2', '1-2'])
      const claimed = await r.xAutoClaim('st', 'g', 'bob', 0, '0')
      is([claimed.nextId, claimed.messages.map(m => m.id), claimed.deletedMessages], ['0-0', ['1-2'], []])
      const [group] = await r.xInfoGroups('st')
      is([group.name, group.consumers, group.pending, group['last-delivered-id'], group['entries-read'], group.lag], ['g', 2, 1, '1-2', 2, 1])
      is((await r.xInfoConsumers('st', 'g')).length, 2)
      is((await r.xInfoStream('st')).length, 3)
      const message = second.xRead({ key: '{st}q', id: '0' }, { BLOCK: 10000 })
      is(await r.xAdd('{st}q', '9-9', { k: 'v' }), '9-9')
      is((await message)[0].messages[0].id, '9-9')
      is(await r.xTrim('st', 'MAXLEN', 1), 2)
    },
    async scripts() {
      const script = `return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1]), false, {ok='fine'}}`
      is(await r.eval(script, { keys: ['lua'], arguments: ['x'] }), ['lua', 'x', 1, null, 'fine'])
      await rejects(r.evalSha('0'.repeat(40), { keys: ['lua'], arguments: [] }), /NOSCRIPT/)
      await rejects(r.evalRo(`return redis.call('SET', KEYS[1], 1)`, { keys: ['lua'], arguments: [] }), /Write commands are not allowed from read-only scripts/)
      const number = `redis.setresp(3); return {double=2.5}`
      is(await r.eval(number, { keys: ['lua'], arguments: [] }), 2.5)
    },
    async functions() {
      for (const node of await masters()) is(await node.functionLoad(library, { REPLACE: true }), 'shop')
      is(await r.fCall('sell', { keys: ['apples'], arguments: ['3'] }), -3)
      is(await r.fCallRo('stock', { keys: ['apples'], arguments: [] }), '-3')
      const [shop] = await (await masters())[0].functionListWithCode()
      is([shop.library_name, shop.engine, shop.functions.length, shop.library_code], ['shop', 'LUA', 2, library])
    },
    async transactions() {
      await r.set('{t}n', '11')
      is(await r.multi('{t}n').incr('{t}n').hSet('{t}h', 'a', '1').zRangeWithScores('{t}z', 0, -1).exec(), [12, 1, []])
      const multi = r.multi('{t}n').incr('{t}h').incr('{t}n')
      await rejects(multi.exec(), /1 commands failed/)
      is(await r.get('{t}n'), '13')
    },
    async pubsub() {
      const heard = inbox()
      await r.pSubscribe('news.*', (message, channel) => heard.put(`${channel} ${message}`))
      for (const node of await masters()) await node.publish('news.today', 'rain')
      for (let i = 0; i < 3; i++) is(await heard.take(), 'news.today rain')
      await r.pUnsubscribe('news.*')
    },
    async standalone() {
      for (const RESP of [2, 3]) {
        const c = await createClient({ url: `redis://${alone}/9`, RESP }).connect()
        is(await c.flushDb(), 'OK')
        is(await c.zAdd('zset', [{ score: 1, value: 'a' }, { score: 2, value: 'b' }]), 2)
        is(await c.zRangeWithScores('zset', 0, -1), [{ value: 'a', score: 1 }, { value: 'b', score: 2 }])
        is(await c.move('zset', 8), 1)
        is(await c.dbSize(), 0)
        await c.select(8)
        is(await c.zScore('zset', 'b'), 2)
        is(await c.flushDb(), 'OK')
        await c.close()
      }
    },
    async sharded() {
      const heard = inbox()
      await r.sSubscribe('orders', (message, channel) => heard.put(`${channel} ${message}`))
      is(await second.sPublish('orders', 'one'), 1)
      is(await heard.take(), 'orders one')
      await r.sUnsubscribe('orders')
    },
    // A value that the library keeps is forgotten when another client writes.
    async tracking() {
      const cache = new BasicPooledClientSideCache({ ttl: 0, maxEntries: 100 })
      const c = createCluster({ rootNodes, RESP: 3, clientSideCache: cache })
      await c.connect()
      await caches(c, cache, r)
      await c.close()
      const one = new BasicClientSideCache({ ttl: 0, maxEntries: 100 })
      const single = await createClient({ url: `redis://${alone}`, RESP: 3, clientSideCache: one }).connect()
      const writer = await createClient({ url: `redis://${alone}` }).connect()
      await caches(single, one, writer)
      await single.close()
      await writer.close()
    },
  })
  await second.close()
  await r.close()
}

async function caches(c, cache, writer) {
  await writer.hSet('kept', 'a', '1')
  is(await c.hGet('kept', 'a'), '1')
  is(await c.hGet('kept', 'a'), '1')
  is(cache.stats().hitCount, 1)
  await writer.hSet('kept', 'a', '2')
  for (const end = Date.now() + 10000; await c.hGet('kept', 'a') !== '2';) {
    if (Date.now() > end) throw new Error('it keeps what has changed')
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

// inbox is read in turn, also before something is in it.
function inbox() {
  const messages = [], waiting = []
  return {
    put: m => waiting.length ? waiting.shift()(m) : messages.push(m),
    take: () => messages.length ? messages.shift() : new Promise(resolve => waiting.push(resolve)),
  }
}
