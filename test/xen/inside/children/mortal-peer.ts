// One end of vchan://DOMID/PORT that kills itself with SIGKILL at a chosen step, or lives through all of them. Arguments: serve
// or connect, the peer's domid, the step, 0 for none. Says on stdout how many steps it took.
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { Conduit } from '../../../../src/conduit/conduit.js'
import { XenSubstrate } from '../../../../src/substrate/xen/xen-substrate.js'
import type { ConduitSocket } from '../../../../src/vchan/socket.js'
import { stepThrough } from '../../../support/step-through.js'

const [role, peer, last] = process.argv.slice(2) as [string, string, string]
let steps = 0
const say = (word: string) => writeSync(1, `${word}\n`)

const substrate = await XenSubstrate.open()
stepThrough(substrate, () => {
  steps++
  if (steps !== Number(last)) return
  say(`dies ${steps}`)
  process.kill(process.pid, 'SIGKILL')
  for (;;);
})
const conduit = await Conduit.open({ substrate })
const address = `vchan://${peer}/mortal`
let socket: ConduitSocket
if (role === 'serve') {
  const server = conduit.createServer()
  const connection = once(server, 'connection')
  await server.listen(address)
  say('listening')
  socket = ((await connection) as [ConduitSocket])[0]
} else {
  socket = await conduit.connect(address, { wait: true })
}
socket.on('error', () => undefined)
socket.resume()
socket.end('all of it')
await once(socket, 'close')
await conduit.close()
say(`lives ${steps}`)
