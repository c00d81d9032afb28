// The rendezvous suite on every world there is: memory and local.
import { LocalConduitWorld } from '../support/local-conduit-world.js'
import { MemoryWorld } from '../support/memory-world.js'
import { describeWithAddon } from '../support/with-addon.js'
import { describeRendezvous } from './conduit-suite.js'

describeRendezvous('the rendezvous over memory', () => MemoryWorld.start())

describeWithAddon(() => describeRendezvous('the rendezvous over local', () => LocalConduitWorld.start()))
