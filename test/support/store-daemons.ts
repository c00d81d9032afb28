// Debian's own store daemons for tests. Where they cannot be had the tests are pending and say why; with CI=true they fail
// instead.
import { findStoreDaemons, StoreDaemon, type StoreDaemonPrograms } from '../../testbed/daemons/store-daemon.js'
import { OXENSTORED, XENSTORED } from '../conformance/xenstore-rules.js'
import type { StoreTraits } from '../conformance/xenstore-suite.js'

/** A group of tests on Debian's C xenstored and oxenstored. */
export function withStoreDaemons(body: (daemons: readonly StoreTraits[]) => void): void {
  describe('with Debian’s xenstore daemons', () => {
    let programs: StoreDaemonPrograms

    before(function () {
      const found = findStoreDaemons()
      if (typeof found !== 'string') {
        programs = found
        return
      }
      if (process.env.CI === 'true') throw new Error(found)
      console.log(`      pending: ${found}`)
      this.skip()
    })

    body([
      {
        name: 'C xenstored',
        rules: XENSTORED,
        guests: true,
        start: () => StoreDaemon.start(programs, 'xenstored'),
      },
      {
        name: 'oxenstored',
        rules: OXENSTORED,
        guests: true,
        start: () => StoreDaemon.start(programs, 'oxenstored'),
      },
    ])
  })
}
