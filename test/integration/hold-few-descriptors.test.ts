// A jitsud that may open few files, with more clients than that: they wait in the kernel, and are all served.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import type { HoldCounters } from '../../src/jitsu/hold/index.js'
import { HeldClient } from '../support/held-client.js'

const SCRIPT = fileURLToPath(new URL('./children/holding-process.js', import.meta.url))
const FEW = 512
const CLIENTS = 700

describe('a held address out of descriptors', () => {
  it('lets clients wait in the kernel, keeps some descriptors for the service, and serves them all', async () => {
    const guest = createServer({ allowHalfOpen: true }, (socket) => {
      socket.once('data', (chunk: Buffer) => socket.end(`hello ${chunk}`))
    })
    guest.listen(0, '127.0.0.1')
    await once(guest, 'listening')
    const target = `127.0.0.1:${(guest.address() as { port: number }).port}`
    const args = ['-c', `ulimit -n ${FEW}; exec "$0" "$@"`, process.execPath, '--enable-source-maps', SCRIPT, target]
    const child = spawn('sh', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [{ address }] = (await once(child, 'message')) as [{ address: string }]
    const clients: HeldClient[] = []
    for (let number = 0; number < CLIENTS; number++) clients.push(await HeldClient.to(address))
    for (const [index, { socket }] of clients.entries()) socket.end(`${index}`)
    let counters: HoldCounters
    do counters = await ask(child, 'counters')
    while (counters.outages === 0)
    expect(counters.waiting).to.be.within(1, FEW - 32)
    await ask(child, 'ready')
    for (const [index, client] of clients.entries()) {
      expect(await client.outcome()).to.deep.equal({ text: `hello ${index}`, ended: true, error: undefined })
    }
    counters = await ask(child, 'counters')
    expect(counters).to.include({ accepted: CLIENTS, handedOver: CLIENTS, notTaken: 0, failed: 0, waiting: 0 })
    child.disconnect()
    await once(child, 'exit')
    guest.close()
    await once(guest, 'close')
  })
})

async function ask(child: ChildProcess, command: string): Promise<HoldCounters> {
  child.send(command)
  const [{ counters }] = (await once(child, 'message')) as [{ counters: HoldCounters }]
  return counters
}
