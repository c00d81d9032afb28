// Guest to guest by name under the stock permissions of Debian's xenstored and oxenstored: the rendezvous suite, and what
// the store's own means are for, the death of a domain that no event channel tells of.
import { once } from 'node:events'
import { expect } from 'chai'
import type { Conduit } from '../../src/conduit/conduit.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { GuestWorld } from '../support/guest-world.js'
import { withStoreDaemons } from '../support/store-daemons.js'
import { describeRendezvous } from './conduit-suite.js'

withStoreDaemons((daemons) => {
  for (const traits of daemons) {
    describeRendezvous(`the rendezvous between guests of ${traits.name}`, async () =>
      GuestWorld.start(await traits.start()),
    )

    describe(`guests of ${traits.name} that are destroyed in mid-transfer`, () => {
      let world: GuestWorld
      let server: Conduit
      let client: Conduit
      let serving: ConduitSocket
      let connected: ConduitSocket

      beforeEach(async () => {
        world = await GuestWorld.start(await traits.start())
        server = await world.environment()
        client = await world.environment()
        const listening = server.createServer()
        await listening.listen('bulk')
        const accepted = once(listening, 'connection') as Promise<[ConduitSocket]>
        connected = await client.connect('bulk')
        ;[serving] = await accepted
        // More than the rings hold, and a reader that is in the middle of it.
        connected.write(Buffer.alloc(8 << 20))
        await once(serving, 'readable')
        serving.read(1)
      })
      afterEach(() => world.close())

      const failureOf = async (socket: ConduitSocket): Promise<unknown> => {
        socket.resume()
        const [error] = await once(socket, 'error')
        return error
      }

      it('are missed by the server', async () => {
        connected.on('error', () => undefined)
        await world.destroy(client.domid)
        expect(await failureOf(serving)).to.include({ code: 'ECONNRESET' })
      })

      it('are missed by the client', async () => {
        serving.on('error', () => undefined)
        await world.destroy(server.domid)
        expect(await failureOf(connected)).to.include({ code: 'ECONNRESET' })
      })
    })
  }
})
