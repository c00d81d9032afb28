// Back-pressure through two conduit-cats, from one's stdin to the other's reader: memory stays small however slowly it reads.
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { CatProcesses } from '../support/cat-process.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'
import { exchange, peakResidentBytes, readPaced, writeRandom } from '../support/paced-transfer.js'

const MIB = 1024 * 1024
const RESIDENT_MAX = 150 * MIB

describe('conduit-cat under back-pressure', () => {
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

  it('moves 64 MiB each way at once in less than 150 MiB of memory', async () => {
    const listener = await cats.listen(['-l', 'web'], { unread: true })
    const client = cats.start(['web'], { unread: true })
    const { sent, received, peakBytes } = await exchange(client, listener, 64 * MIB, async () => void (await turn()))
    expect(received).to.deep.equal(sent)
    expect(peakBytes).to.be.within(1, RESIDENT_MAX)
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
  })

  it('takes no more from stdin than its buffers hold while nobody reads, and loses nothing', async () => {
    const bytes = 64 * MIB
    const listener = await cats.listen(['-l', 'web'], { unread: true, stdin: 'ignore' })
    const client = cats.start(['-v', '--json', 'web'], { stdout: 'ignore' })
    const sent = writeRandom(client.stdin, bytes, 3)
    await client.says(/connected to/)
    const full = /"left":\{"order":18,"prod":(\d+),"cons":(\d+),"used":262144/
    while (!full.test(client.complaints)) {
      const before = client.complaints.length
      client.kill('SIGUSR1')
      while (client.complaints.length === before) await turn()
    }
    expect(Number(full.exec(client.complaints)?.[1])).to.be.below(4 * MIB)
    expect(Math.max(peakResidentBytes(client.pid), peakResidentBytes(listener.pid))).to.be.below(RESIDENT_MAX)
    const received = await readPaced(listener.stdout, async () => undefined)
    expect(received).to.equal(await sent)
    expect([await client.ended, await listener.ended]).to.deep.equal([0, 0])
  })
})
