// Ends that nobody announced, between Debian's libxenvchan in a guest and the SDK in dom0: kill -9, xl destroy, a guest that
// never unmaps.
import { expect } from 'chai'
import { closeOf } from '../../support/close-of.js'
import type { CRole } from '../../support/interop-world.js'
import { readPattern } from '../../support/vchan-pattern.js'
import { XenInteropWorld } from '../../support/xen-interop-world.js'

const ROLES: readonly CRole[] = ['server', 'client']
const RING = 65_536

describe('libxenvchan in a PV guest and the SDK in dom0: deaths', () => {
  let world: XenInteropWorld
  beforeEach(async () => {
    world = await XenInteropWorld.start('pv')
  })
  afterEach(() => world.close())

  for (const role of ROLES) {
    it(`C ${role}: kill -9 of it in the middle of an exchange closes our socket`, async () => {
      const { peer, socket } = await world.meet(role, ['exchange', String(2 ** 40)], RING)
      const closing = closeOf(socket)
      socket.once('end', () => socket.end())
      let seen = 0
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.length
        if (!socket.destroyed) socket.write(chunk)
        if (seen > 4 << 20) peer.kill()
      })
      const failure = await closing
      if (failure !== undefined) expect(failure.code).to.be.oneOf(['ECONNRESET', 'EPIPE'])
      expect((await peer.exit).status).to.equal(128 + 9)
    })

    it(`C ${role}: xl destroy of its guest in mid-transfer resets our socket`, async () => {
      const { socket } = await world.meet(role, ['exchange', String(2 ** 40)], RING)
      const closing = closeOf(socket)
      let seen = 0
      socket.on('data', (chunk: Buffer) => {
        const before = seen
        seen += chunk.length
        if (!socket.destroyed) socket.write(chunk)
        if (before <= 4 << 20 && seen > 4 << 20) void world.guest.destroy()
      })
      expect(await closing)
        .to.have.property('code')
        .that.is.oneOf(['ECONNRESET', 'EPIPE'])
      await world.guest.gone
    })

    it(`C ${role} that never unmaps keeps nobody: our end closes, and the next connection opens`, async () => {
      const { peer, socket } = await world.meet(role, ['send', '5000', '--finish', 'stay'], RING)
      await peer.line('done')
      const closing = closeOf(socket)
      socket.destroy()
      await closing
      const next = await world.meet(role, ['send', '5000'], RING)
      expect(await readPattern(next.socket)).to.equal(5000)
      peer.kill()
    })
  }
})
