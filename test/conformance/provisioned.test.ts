// The provisioned suite on every world there is: memory and local.
import type { Domid } from '../../protocol/xen.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import { LocalConduitWorld } from '../support/local-conduit-world.js'
import { MemoryWorld } from '../support/memory-world.js'
import { describeWithAddon } from '../support/with-addon.js'
import { describeProvisioned } from './provisioned-suite.js'

describeProvisioned('a provisioned channel over memory', async () => {
  const world = await MemoryWorld.start()
  return Object.assign(world, { destroy: async ({ domid }: Substrate) => world.kill(domid as Domid) })
})

describeWithAddon(() =>
  describeProvisioned('a provisioned channel over local', async () => {
    const world = await LocalConduitWorld.start()
    return Object.assign(world, { destroy: (substrate: Substrate) => substrate.close() })
  }),
)
