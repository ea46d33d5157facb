// Runs the scenario with node-redis, or goes through the families of commands.
import { createCluster } from 'redis'
import { families } from './noderedis-families.mjs'
import { run } from './scenario.mjs'

if (process.argv[2] === 'families') {
  await families(process.argv[3], process.argv.slice(4))
  process.exit(0)
}
const cluster = createCluster({ rootNodes: process.argv.slice(2).map(addr => ({ url: `redis://${addr}` })) })
cluster.on('error', err => { console.error(err); process.exit(1) })
await cluster.connect()

const send = args => cluster.sendCommand(args[1], args[0] === 'GET', args)

await run({
  do: send,
  // What is sent in one turn of the event loop is pipelined.
  pipeline: commands => Promise.all(commands.map(send)),
  transaction(commands) {
    const multi = cluster.multi(commands[0][1])
    for (const args of commands) multi.addCommand(args[1], false, args)
    return multi.exec()
  },
  close: () => cluster.close(),
})
