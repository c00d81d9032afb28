// The substrate suite on a real hypervisor. All ends are this domain, so nobody is a stranger: what Xen refuses to other
// domains is tested with real ones (grants.test.ts).
import { XenSubstrate } from '../../../src/substrate/xen/xen-substrate.js'
import { substrateSuite } from '../../conformance/substrate-suite.js'

substrateSuite('xen', async () => {
  const open = () => XenSubstrate.open({ loopback: true })
  const [a, b] = [await open(), await open()]
  return {
    a,
    b,
    stranger: undefined,
    close: async () => {
      await Promise.all([a.close(), b.close()])
    },
  }
})
