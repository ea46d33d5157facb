// Runs the scenario with ioredis, or goes through the families of commands.
import { Cluster } from 'ioredis'
import { families } from './ioredis-families.mjs'
import { run } from './scenario.mjs'

if (process.argv[2] === 'families') {
  await families(process.argv[3], process.argv.slice(4))
  process.exit(0)
}
const cluster = new Cluster(process.argv.slice(2).map(addr => {
  const [host, port] = addr.split(':')
  return { host, port: Number(port) }
}), { enableAutoPipelining: true })
cluster.on('error', err => { console.error(err); process.exit(1) })

// ioredis pipelines by itself what is sent in one turn of the event loop.
const send = ([name, ...args]) => cluster.call(name, ...args)

await run({
  do: send,
  pipeline: commands => Promise.all(commands.map(send)),
  async transaction(commands) {
    const multi = cluster.multi()
    for (const [name, ...args] of commands) multi[name.toLowerCase()](...args)
    return (await multi.exec()).map(([err, reply]) => {
      if (err) throw err
      return reply
    })
  },
  close: () => cluster.quit(),
})
