// What doctor says of the registrar, as a guest and as dom0.
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { registrarCheck } from '../../src/cli/doctor-registrar.js'
import { eventually } from '../support/eventually.js'
import { ManualClock } from '../support/manual-clock.js'
import type { RegistrarWorld } from '../support/registrar-world.js'

export function describeDoctor(world: () => RegistrarWorld): void {
  describe('to doctor', () => {
    const connect = (id: number) => world().daemon.connect(domid(id))

    /** The finding when nobody answers, without the time that takes. */
    async function findingOf(id: number) {
      const clock = new ManualClock()
      const finding = registrarCheck(connect(id), { clock })
      await eventually(() => clock.waiting > 0)
      clock.advance(60_000)
      return finding
    }

    beforeEach(async () => {
      // As xen-init-dom0 does.
      await world().dom0.write('/local/domain/0/domid', '0')
      await world().guest(3)
    })

    it('answers when it runs', async () => {
      for (const id of [0, 3]) expect(await registrarCheck(connect(id))).to.include({ name: 'registrar', state: 'ok' })
    })

    it('is gone when its mark and its names are still there', async () => {
      await (await world().guest(3)).ask('register', 'web')
      await world().registrar.close()
      await world().dom0.write('/conduit/host-id/registrar', '77 killed')
      for (const id of [0, 3]) {
        const finding = await findingOf(id)
        expect(finding).to.include({ state: 'fail' })
        expect(finding.text).to.contain('does not answer')
        expect(finding.fix).to.contain('systemctl start conduit-registrar')
      }
    })

    it('has never run where nothing of it is', async () => {
      await world().registrar.close()
      await world().dom0.remove('/conduit')
      const finding = await findingOf(3)
      expect(finding.text).to.contain('none has ever run')
      // And asking has left nothing.
      expect(await world().dom0.directory('/local/domain/3/data/conduit/want')).to.deep.equal([])
    })
  })
}
