// What every client library has to go through; see scenario/scenario.go. A
// client has do(args), pipeline(commands), transaction(commands) and close().
import { deepStrictEqual } from 'node:assert'
import { createInterface } from 'node:readline'

const keys = [...Array(200).keys()]

export async function run(client) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  await start(client)
  console.log('started')
  await lines.next()
  await follow(client)
  console.log('followed')
  await client.close()
  process.exit(0)
}

async function start(client) {
  deepStrictEqual(await client.pipeline(keys.map(i => ['SET', `key:${i}`, `${i}`])), keys.map(() => 'OK'))
  deepStrictEqual(await client.pipeline(keys.map(i => ['GET', `key:${i}`])), keys.map(String))
  for (const tag of ['{moved}', '{ask}']) {
    for (let i = 0; i < 10; i++) deepStrictEqual(await client.do(['SET', tag + i, `${i}`]), 'OK')
  }
  await transaction(client, '{tx}')
}

async function follow(client) {
  for (const tag of ['{moved}', '{ask}']) {
    for (let i = 0; i < 10; i++) deepStrictEqual(await client.do(['GET', tag + i]), `${i}`)
    deepStrictEqual(await client.do(['SET', tag + 'new', '1']), 'OK')
    deepStrictEqual(await client.do(['GET', tag + 'new']), '1')
  }
  await transaction(client, '{moved}')
  deepStrictEqual(await client.pipeline(keys.map(i => ['GET', `key:${i}`])), keys.map(String))
}

async function transaction(client, tag) {
  const commands = [['SET', tag + 'n', '7'], ['INCR', tag + 'n'], ['GET', tag + 'n']]
  deepStrictEqual(await client.transaction(commands), ['OK', 8, '8'])
}
