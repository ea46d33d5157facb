// What the families of commands have in common for the libraries of Node.js;
// see scenario/families.go.
export const library = `#!lua name=shop
redis.register_function('sell', function(keys, args) return redis.call('DECRBY', keys[1], args[1]) end)
redis.register_function{function_name='stock', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}`

// run says for each family that it is ok, or what wasn't.
export async function run(families) {
  for (const [name, family] of Object.entries(families)) {
    try {
      await family()
      console.log(`${name} ok`)
    } catch (err) {
      console.log(`${name}: ${err.stack.replaceAll('\n', ' | ')}`)
    }
  }
}
