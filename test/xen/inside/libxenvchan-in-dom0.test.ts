// Debian's libxenvchan in dom0 and the SDK in a guest, as conduit-cat: bytes both ways, and the death of the SDK's process.
import { expect } from 'chai'
import type { CRole } from '../../support/interop-world.js'
import { RemoteVchanPeer } from '../../support/xen-interop-world.js'
import { Guest, type GuestType, here, type RemoteProcess } from '../../support/xen-machine.js'

const ROLES: readonly CRole[] = ['server', 'client']
const LARGE = 64 << 20
/** node with the whole SDK takes seconds to start in an emulated guest. */
const CAT = 'exec conduit-cat -v -w 100'

for (const type of ['pv', 'pvh'] as GuestType[]) {
  describe(`libxenvchan in dom0 and the SDK in a ${type.toUpperCase()} guest`, () => {
    let guest: Guest
    let lastPort = 0
    before(async () => {
      guest = await Guest.create({ type })
    })
    after(() => guest?.destroy())

    /** The two, connected or about to be. */
    async function meet(role: CRole, job: string): Promise<{ peer: RemoteVchanPeer; sdk: RemoteProcess }> {
      lastPort += 1
      const port = `d${lastPort}`
      const start = () => new RemoteVchanPeer(here.spawn(`exec vchan-peer ${role} ${guest.domid} ${port} ${job}`))
      if (role === 'server') {
        const peer = start()
        await peer.line('listening')
        return { peer, sdk: guest.spawn(`${CAT} --wait vchan://0/${port} -e cat`) }
      }
      const sdk = guest.spawn(`${CAT} -l vchan://0/${port} -e cat`)
      await sdk.printed(/listening on/)
      return { peer: start(), sdk }
    }

    for (const role of ROLES) {
      it(`C ${role}: 64 MiB each way at once`, async () => {
        const { peer, sdk } = await meet(
          role,
          `exchange ${LARGE} --chunk 16384 ${role === 'server' ? '--ring 65536' : ''}`,
        )
        expect(await peer.line('done')).to.include({ bytes: String(LARGE), bad: '0' })
        expect((await peer.exit).status).to.equal(0)
        await sdk.wait()
      })

      it(`C ${role} notices kill -9 of the SDK's process`, async () => {
        const { peer, sdk } = await meet(role, 'hold')
        await peer.line('connected')
        await sdk.printed(/connect/)
        sdk.kill('SIGKILL')
        await peer.line('done')
        expect((await peer.exit).status).to.equal(0)
      })
    }
  })
}
