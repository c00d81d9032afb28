// The rendezvous suite on every world there is: memory and local.
import { native } from '../../src/native.js'
import { LocalConduitWorld } from '../support/local-conduit-world.js'
import { MemoryWorld } from '../support/memory-world.js'
import { describeRendezvous } from './conduit-suite.js'

describeRendezvous('the rendezvous over memory', () => MemoryWorld.start())

describe('with the addon', () => {
  before(function () {
    try {
      native()
    } catch {
      // Without the addon there is no local substrate: npm run build makes it.
      this.skip()
    }
  })
  describeRendezvous('the rendezvous over local', () => LocalConduitWorld.start())
})
