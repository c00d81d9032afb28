// The full size of what conduit-cat must withstand: 1 GiB in each direction at once, whatever the reader's speed.
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { CatProcesses } from '../support/cat-process.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'
import { exchange } from '../support/paced-transfer.js'

const MIB = 1024 * 1024
const RESIDENT_MAX = 150 * MIB
const BYTES = 1024 * MIB
/** Turns of the event loop that a reader lets pass after each chunk. */
const PACES = { 'as fast as it can': 0, slowly: 8 }

describe('conduit-cat, 1 GiB each way', function () {
  this.timeout(0)
  let world: LocalWorld
  let cats: CatProcesses
  beforeEach(() => {
    world = localWorld()
    cats = new CatProcesses(world.directory)
  })
  afterEach(async () => {
    await cats.close()
    await world.close()
  })

  for (const [how, turns] of Object.entries(PACES)) {
    it(`arrives whole at a reader that reads ${how}, in less than 150 MiB of memory`, async () => {
      const listener = await cats.listen(['-l', 'web'], { unread: true })
      const client = cats.start(['web'], { unread: true })
      const { sent, received, peakBytes } = await exchange(client, listener, BYTES, async () => {
        for (let passed = 0; passed < turns; passed++) await turn()
      })
      expect(received).to.deep.equal(sent)
      expect(peakBytes).to.be.within(1, RESIDENT_MAX)
      expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
    })
  }
})
