// The xenstore suite on every store there is: the embedded one, and Debian's own xenstored and oxenstored, which run here
// without Xen. What the client and the embedded store hold for a xenstore is what the real ones are.
import { withStoreDaemons } from '../support/store-daemons.js'
import { EMBEDDED, EMBEDDED_SOCKET } from './xenstore-stores.js'
import { describeXenstore } from './xenstore-suite.js'

describeXenstore(EMBEDDED)
describeXenstore(EMBEDDED_SOCKET)

withStoreDaemons((daemons) => {
  for (const traits of daemons) describeXenstore(traits)
})
