// Runs the scenario with ioredis.
import { Cluster } from 'ioredis'
import { run } from './scenario.mjs'

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
