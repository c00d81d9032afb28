// How the unikernel starts and ends, and what it withstands: a client that writes anything anywhere, requests that are none.
import { expect } from 'chai'
import { OFFSET } from '../../../protocol/vchan-page.js'
import { openSubstrate } from '../../../src/substrate/select.js'
import type { Substrate } from '../../../src/substrate/substrate.js'
import { VchanChannel } from '../../../src/vchan/channel.js'
import { kick, pokeU32 } from '../../support/hostile-peer.js'
import { SHUTDOWN } from '../../support/unikernel-guest.js'
import { UnikernelWorld } from '../../support/unikernel-world.js'
import { here } from '../../support/xen-machine.js'

const SOME = 1 << 20

for (const type of ['pv', 'pvh'] as const) {
  describe(`the life of a ${type.toUpperCase()} unikernel`, () => {
    let world: UnikernelWorld
    let substrate: Substrate
    before(async () => {
      world = await UnikernelWorld.start(type)
      substrate = await openSubstrate({ backend: 'xen' })
    })
    after(async () => {
      await substrate?.close()
      await world?.close()
    })

    it('ends as powered off when it is told to, with a connection open, and gives its name back', async () => {
      const guest = await world.guest('echo', 'name=life-off')
      const socket = await world.connect('life-off', { allowHalfOpen: false })
      const ended = guest.ended()
      const over = new Promise((resolve) => socket.resume().once('close', resolve))
      expect((await here.run(`xl shutdown ${guest.domid}`)).status).to.equal(0)
      expect(await ended).to.equal(SHUTDOWN.poweroff)
      await over
      expect(await world.store.exists(guest.path('data/conduit/register/life-off'))).to.equal(false)
    })

    it('ends as rebooted where that is asked for', async () => {
      const guest = await world.guest('echo', 'port=echo')
      const ended = guest.ended()
      await world.store.write(guest.path('control/shutdown'), 'reboot')
      expect(await ended).to.equal(SHUTDOWN.reboot)
    })

    it('ends as crashed for a command line that cannot be', async () => {
      for (const settings of ['name=no.dots', 'port=echo ring=many', 'port=echo provisioned=3']) {
        const guest = await world.start('echo', settings)
        expect(await guest.ended(), settings).to.equal(SHUTDOWN.crash)
        expect(await world.store.exists(guest.path('data/jitsu/ready'))).to.equal(false)
        await guest.destroy()
      }
    })

    it('writes its ready key where it is told to, and only once its name is held', async () => {
      const guest = await world.guest('echo', 'name=life-ready ready=data/jitsu/ready')
      expect(await world.store.readText('/conduit/life-ready')).to.equal(String(guest.domid))
    })

    it('refuses requests that are none, and serves the others', async () => {
      await world.guest('echo', 'name=life-asked')
      const open = await world.connect('life-asked')
      const answers = new Map([
        ['garbage', 'refused CONDUIT_PROTOCOL'],
        ['(connect (mode message))', 'refused CONDUIT_MODE'],
        ['(connect (mode stream) (ring 99))', 'refused CONDUIT_PROTOCOL'],
        ['x'.repeat(2000), 'refused CONDUIT_PROTOCOL'],
      ])
      for (const [at, [entry, answer]] of [...answers].entries()) {
        const path = `/conduit/life-asked/listen/0/00000000000${at + 1}`
        await world.store.write(path, entry)
        for await (const _ of world.store.watches(path)) {
          if ((await world.store.readText(path)) === answer) break
        }
        await world.store.remove(path)
      }
      // Fewer than the 64 for which the registrar would turn us out.
      const flood = Array.from(
        { length: 50 },
        (_, at) => `/conduit/life-asked/listen/0/${at % 2 ? 'none' : '0000000000'}${at + 10}`,
      )
      await Promise.all(flood.map((path) => world.store.write(path, '(')))
      expect(await world.exchange(open, SOME)).to.equal(SOME)
      await Promise.all(flood.map((path) => world.store.remove(path)))
      expect(await world.exchange(await world.connect('life-asked'), SOME)).to.equal(SOME)
    })

    it('breaks off a client that writes what cannot be, and serves the others', async () => {
      const guest = await world.guest('echo', 'name=life-hostile port=echo')
      const good = await world.connect('life-hostile')
      for (const [offset, value] of [
        [OFFSET.LEFT_PROD, 0x7fffffff],
        [OFFSET.RIGHT_CONS, 0xdeadbeef],
        [OFFSET.GRANTS, 0],
        [OFFSET.LEFT_ORDER, 0xffffffff],
      ] as const) {
        const keys = guest.path('data/vchan/0/echo')
        for await (const _ of world.store.watches(keys)) if (await world.store.exists(`${keys}/ring-ref`)) break
        const [gref, port] = await Promise.all(
          ['ring-ref', 'event-channel'].map(async (key) => Number(await world.store.readText(`${keys}/${key}`))),
        )
        const channel = await VchanChannel.connect(substrate, guest.domid as never, gref as never, port as never)
        pokeU32(channel, offset, value)
        kick(channel)
        await channel.close()
      }
      expect(await world.exchange(good, SOME)).to.equal(SOME)
    })

    it('has room for many connections, and says when there is none', async () => {
      await world.guest('echo', 'name=life-many')
      const results = await Promise.allSettled(Array.from({ length: 40 }, () => world.connect('life-many')))
      const open = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      const codes = new Set(results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : [])))
      expect([open.length, [...codes]]).to.deep.equal([32, ['ECONNREFUSED']])
      const closed = open.slice(1).map((socket) => new Promise((resolve) => socket.once('close', resolve).destroy()))
      await Promise.all(closed)
      expect(await world.exchange(open[0]!, SOME)).to.equal(SOME)
    })
  })
}
