// A domain that is destroyed when one direction had ended already: the store alone tells of it, and the other end hears it in
// whatever state the connection is, so that nobody waits for ever to write.
import { once } from 'node:events'
import { expect } from 'chai'
import type { Conduit } from '../../src/conduit/conduit.js'
import { ConduitMessageSocket } from '../../src/vchan/message-socket.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { GuestWorld } from '../support/guest-world.js'
import { withStoreDaemons } from '../support/store-daemons.js'

type Either = ConduitSocket | ConduitMessageSocket

interface Pair {
  readonly doomed: Either
  readonly survivor: Either
}

const STATES: Record<string, (pair: Pair) => Promise<void>> = {
  'had ended, while the other writes': async ({ doomed, survivor }) => {
    await endAndRead(doomed, survivor)
    // More than the rings and the buffers hold.
    const bytes = Buffer.alloc(64 * 1024)
    for (let i = 0; i < 64; i++) give(survivor, bytes)
  },
  'had ended, while the other is silent': ({ doomed, survivor }) => endAndRead(doomed, survivor),
  'had not ended, when the other had': async ({ doomed, survivor }) => {
    await endAndRead(survivor, doomed)
    survivor.resume()
  },
}

function give(to: Either, bytes: Buffer): void {
  if (to instanceof ConduitMessageSocket) to.send(bytes)
  else to.write(bytes)
}

async function endAndRead(from: Either, to: Either): Promise<void> {
  const ended = once(to, 'end')
  from.end()
  to.resume()
  await ended
}

withStoreDaemons((daemons) => {
  for (const traits of daemons) {
    describe(`half-closed connections of guests of ${traits.name}`, () => {
      let world: GuestWorld
      let server: Conduit
      let client: Conduit

      beforeEach(async () => {
        world = await GuestWorld.start(await traits.start())
        server = await world.environment()
        client = await world.environment()
      })
      afterEach(() => world.close())

      async function connection(messages: boolean): Promise<{ serving: Either; connected: Either }> {
        const listening = messages
          ? server.createServer({ allowHalfOpen: true, mode: 'message' })
          : server.createServer({ allowHalfOpen: true })
        await listening.listen('bulk')
        const accepted = once(listening, 'connection') as Promise<[Either]>
        const connected = messages
          ? await client.connect('bulk', { allowHalfOpen: true, mode: 'message' })
          : await client.connect('bulk', { allowHalfOpen: true })
        const [serving] = await accepted
        return { serving, connected }
      }

      for (const mode of ['stream', 'message'] as const) {
        for (const doomedRole of ['server', 'client'] as const) {
          for (const [state, bring] of Object.entries(STATES)) {
            it(`of ${mode}s are reset when the ${doomedRole} dies that ${state}`, async () => {
              const { serving, connected } = await connection(mode === 'message')
              const [doomed, survivor] = doomedRole === 'server' ? [serving, connected] : [connected, serving]
              doomed.on('error', () => undefined)
              const failure = once(survivor, 'error')
              await bring({ doomed, survivor })
              await world.destroy(doomedRole === 'server' ? server.domid : client.domid)
              expect((await failure)[0]).to.include({ code: 'ECONNRESET' })
            })
          }
        }
      }
    })
  }
})
