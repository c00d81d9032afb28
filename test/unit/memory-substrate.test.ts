// What the memory substrate has beyond the contract: steps, faults, deaths, assertClean().
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { MemoryHypervisor } from '../../src/testing.js'
import { expectCode } from '../support/expect-rejection.js'

async function twoDomains(options: ConstructorParameters<typeof MemoryHypervisor>[0] = { manual: true }) {
  const hypervisor = new MemoryHypervisor(options)
  const a = hypervisor.createDomain()
  const b = hypervisor.createDomain()
  const listening = await a.listen(b.domid)
  const bound = await b.bind(a.domid, listening.port)
  let events = 0
  listening.onEvent(() => {
    events++
    return 0
  })
  return { hypervisor, a, b, listening, bound, events: () => events }
}

describe('memory hypervisor', () => {
  it('delivers events one at a time, by hand, and folds kicks that wait', async () => {
    const { hypervisor, bound, events } = await twoDomains()
    bound.notify()
    bound.notify()
    expect([hypervisor.pending, events()]).to.deep.equal([1, 0])
    expect(hypervisor.step()).to.equal(true)
    expect(events()).to.equal(1)
    expect(hypervisor.step()).to.equal(false)
    bound.notify()
    await hypervisor.settle()
    expect(events()).to.equal(2)
  })

  it('loses and doubles the kicks it is told to', async () => {
    const { hypervisor, bound, events } = await twoDomains()
    hypervisor.disturb('drop', 2)
    for (const expected of [1, 1, 2]) {
      bound.notify()
      await hypervisor.settle()
      expect(events()).to.equal(expected)
    }
    hypervisor.disturb('duplicate')
    bound.notify()
    await hypervisor.settle()
    expect(events()).to.equal(4)
  })

  it('fails the call it is told to, once', async () => {
    const hypervisor = new MemoryHypervisor()
    const a = hypervisor.createDomain()
    const peer = domid(9)
    hypervisor.fail('share', 'GRANT_LIMIT', 2)
    hypervisor.fail('listen', 'SUBSTRATE_LOST')
    await a.share(peer, 1)
    await expectCode(a.share(peer, 1), 'GRANT_LIMIT')
    await a.share(peer, 1)
    await expectCode(a.listen(peer), 'SUBSTRATE_LOST')
    await a.close()
    hypervisor.assertClean()
  })

  it('has a limit on granted pages, as gntalloc has', async () => {
    const hypervisor = new MemoryHypervisor({ grantLimit: 4 })
    const a = hypervisor.createDomain()
    const share = await a.share(domid(9), 3)
    await expectCode(a.share(domid(9), 2), 'GRANT_LIMIT')
    share.close()
    await a.share(domid(9), 4)
  })

  it('a killed domain falls silent; its unmap notifications reach the survivors', async () => {
    const { hypervisor, a, b, listening, bound, events } = await twoDomains()
    const share = await a.share(b.domid, 1)
    await b.map(a.domid, share.grefs, { access: 'rw', onUnmap: { byteOffset: 20, port: bound.port } })
    new Uint8Array(share.buffer)[20] = 1
    let heardByTheDead = 0
    bound.onEvent(() => {
      heardByTheDead++
      return 0
    })
    listening.notify()
    hypervisor.kill(b.domid)
    await hypervisor.settle()
    expect([events(), heardByTheDead, new Uint8Array(share.buffer)[20]]).to.deep.equal([1, 0, 0])
    await expectCode(b.listen(a.domid), 'SUBSTRATE_LOST')
    await a.close()
    hypervisor.assertClean()
  })

  it('assertClean lists what was left', async () => {
    const { hypervisor, a, b } = await twoDomains()
    const share = await a.share(b.domid, 2)
    await b.map(a.domid, share.grefs, { access: 'r' })
    expect(() => hypervisor.assertClean()).to.throw(/domain 1 shares 2 pages.*domain 2 maps 2 pages.*domain 1 has port/)
    await Promise.all([a.close(), b.close()])
    hypervisor.assertClean()
  })

  it('hands out domids, and refuses one that is taken', () => {
    const hypervisor = new MemoryHypervisor({ firstDomid: 5 })
    expect(hypervisor.createDomain().domid).to.equal(5)
    expect(hypervisor.createDomain(7).domid).to.equal(7)
    expect(hypervisor.createDomain().domid).to.equal(8)
    expect(() => hypervisor.createDomain(7)).to.throw(RangeError)
  })

  it('has a store only when its maker gave one', async () => {
    await expectCode(new MemoryHypervisor().createDomain().xenstore(), 'SUBSTRATE_UNAVAILABLE')
    let closed = 0
    const transport = { send() {}, onData() {}, onClose() {}, ref() {}, unref() {}, close: () => void closed++ }
    const domain = new MemoryHypervisor({ xenstore: () => transport }).createDomain()
    expect(await domain.xenstore()).to.equal(transport)
    await domain.close()
    expect(closed).to.equal(1)
  })
})
