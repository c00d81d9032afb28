// The xenstore suite on Debian's own xenstored and oxenstored, which run here without Xen: what the embedded store and
// the client hold for a xenstore is what the real ones are.
import { findStoreDaemons, StoreDaemon, type StoreDaemonPrograms } from '../../testbed/daemons/store-daemon.js'
import { OXENSTORED, XENSTORED } from './xenstore-rules.js'
import { describeXenstore } from './xenstore-suite.js'

describe('xenstore daemons', () => {
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

  describeXenstore({
    name: 'Debian’s C xenstored',
    rules: XENSTORED,
    guests: true,
    start: () => StoreDaemon.start(programs, 'xenstored'),
  })

  describeXenstore({
    name: 'Debian’s oxenstored',
    rules: OXENSTORED,
    guests: true,
    start: () => StoreDaemon.start(programs, 'oxenstored'),
  })
})
