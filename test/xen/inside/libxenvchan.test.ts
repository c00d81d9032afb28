// Debian's libxenvchan in a guest and the SDK in dom0, over a real hypervisor: the suite that any machine runs, with guests of
// both kinds, and 64 MiB each way.
import { expect } from 'chai'
import { libxenvchanInterop } from '../../integration/libxenvchan-suite.js'
import type { CRole } from '../../support/interop-world.js'
import { XenInteropWorld } from '../../support/xen-interop-world.js'
import type { GuestType } from '../../support/xen-machine.js'

const ROLES: readonly CRole[] = ['server', 'client']
const LARGE = 64 << 20
const RING = 65_536

for (const type of ['pv', 'pvh'] as GuestType[]) {
  describe(`libxenvchan in a ${type.toUpperCase()} guest and the SDK in dom0`, () => {
    const extent = { bytes: 1 << 20, smallRingBytes: 1 << 16, oneByteWrites: 2000, races: 4 }
    libxenvchanInterop(extent, () => XenInteropWorld.start(type))
  })
}

describe('libxenvchan in a PV guest and the SDK in dom0: much', () => {
  let world: XenInteropWorld
  before(async () => {
    world = await XenInteropWorld.start('pv')
  })
  after(() => world?.close())

  for (const role of ROLES) {
    for (const mode of [[], ['--packet']]) {
      it(`C ${role}${mode.length > 0 ? ', packets' : ''}: 64 MiB each way at once`, async () => {
        const job = ['exchange', String(LARGE), '--chunk', '16384', ...mode]
        const { peer, socket } = await world.meet(role, job, RING)
        socket.pipe(socket)
        expect(await peer.line('done')).to.include({ bytes: String(LARGE), bad: '0' })
        socket.resume().end()
        expect((await peer.exit).status).to.equal(0)
      })
    }
  }
})
