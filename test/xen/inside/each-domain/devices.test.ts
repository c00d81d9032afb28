// What every domain needs: Xen's devices for programs, the store, node with the addon.
import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { domainKind, here } from '../../../support/xen-machine.js'

describe('the domain', () => {
  it("has Xen's devices for event channels, grants and the store", () => {
    expect(readdirSync('/dev/xen')).to.include.members(['evtchn', 'gntalloc', 'gntdev', 'xenbus'])
  })

  it('is of the kind that it should be', async () => {
    const { output } = await here.run('xenstore-read domid; cat /sys/hypervisor/guest_type')
    const [domid, type] = output.trim().split('\n')
    expect(domid === '0').to.equal(domainKind === 'dom0')
    expect(type).to.equal(domainKind === 'pvh' ? 'PVH' : 'PV')
  })

  it('runs node with the addon, and conduit-cat from the path', async () => {
    const { status, output, errors } = await here.run('conduit-cat --version && conduit-cat doctor --help')
    expect(status, errors).to.equal(0)
    expect(output).to.match(/^\d+\.\d+\.\d+\n/)
  })
})
