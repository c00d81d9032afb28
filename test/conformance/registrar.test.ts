// The registrar on every store there is.
import { withStoreDaemons } from '../support/store-daemons.js'
import { describeRegistrar } from './registrar-suite.js'
import { EMBEDDED } from './xenstore-stores.js'

describeRegistrar(EMBEDDED)

withStoreDaemons((daemons) => {
  for (const traits of daemons) describeRegistrar(traits)
})
