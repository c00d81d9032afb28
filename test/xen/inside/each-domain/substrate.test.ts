// The substrate suite on a real hypervisor, in dom0 and in a PV guest. All ends are this domain, so nobody is a stranger: what Xen refuses to other
// domains is tested with real ones (bad-input.test.ts).
import { expect } from 'chai'
import { XenSubstrate } from '../../../../src/substrate/xen/xen-substrate.js'
import { substrateSuite } from '../../../conformance/substrate-suite.js'
import { grantedPages, mappedXenPages } from '../../../support/xen-leftovers.js'
import { domainKind } from '../../../support/xen-machine.js'

// In a PVH guest some maps of one's own grants failed and others hung, which is why the substrate refuses them: there the ends are two
// domains, in libxenvchan.test.ts.
if (domainKind !== 'pvh') {
  substrateSuite('xen', async () => {
    const open = () => XenSubstrate.open({ loopback: true })
    const [a, b] = [await open(), await open()]
    return {
      a,
      b,
      stranger: undefined,
      close: async () => {
        await Promise.all([a.close(), b.close()])
        expect([mappedXenPages(), grantedPages()]).to.deep.equal([0, 0])
      },
    }
  })
}
