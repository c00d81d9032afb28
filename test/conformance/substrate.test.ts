// The substrate suite on every substrate there is: memory and local.
import { MemoryHypervisor } from '../../src/substrate/memory.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'
import { substrateSuite } from './substrate-suite.js'

substrateSuite('memory', async () => {
  const hypervisor = new MemoryHypervisor()
  const [a, b, stranger] = [hypervisor.createDomain(), hypervisor.createDomain(), hypervisor.createDomain()]
  return {
    a,
    b,
    stranger,
    close: async () => {
      await Promise.all([a.close(), b.close(), stranger.close()])
      await hypervisor.settle()
      hypervisor.assertClean()
    },
  }
})

describe('substrate over processes', () => {
  let world: LocalWorld
  before(async () => {
    world = localWorld()
    // Keeps the hypervisor from leaving between tests.
    await world.attach()
  })
  after(() => world.close())

  substrateSuite('local', async () => {
    const [a, b, stranger] = [await world.attach(), await world.attach(), await world.attach()]
    return {
      a,
      b,
      stranger,
      close: async () => {
        await Promise.all([a.close(), b.close(), stranger.close()])
      },
    }
  })
})
