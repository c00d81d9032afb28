// How large rings are while grants are short.
import { expect } from 'chai'
import { chooseOrders, grantTotal } from '../../protocol/vchan-page.js'
import { domid } from '../../protocol/xen.js'
import { Conduit } from '../../src/conduit/conduit.js'
import { affordableRingBytes } from '../../src/conduit/serve-within-means.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { eventually } from '../support/eventually.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryWorld } from '../support/memory-world.js'

const USUAL = 64 << 10

/** Sizes of the connections that `limit` grants carry, in the order in which they come. */
function sizesWithin(limit: number): number[] {
  const sizes: number[] = []
  for (let held = 0; ; ) {
    const bytes = affordableRingBytes(USUAL, { limit, held })
    held += 1 + grantTotal(chooseOrders(bytes, bytes))
    if (held > limit) return sizes
    sizes.push(bytes)
  }
}

describe('rings that nobody asked for', () => {
  it('are as large as usual where nothing counts grants', () => {
    expect(affordableRingBytes(256 << 10, { limit: Number.POSITIVE_INFINITY, held: 1e6 })).to.equal(256 << 10)
  })

  it('shrink as grants run out, down to the in-page rings, for which half of the grants is kept', () => {
    const sizes = sizesWithin(1024)
    expect(sizes).to.deep.equal([...sizes].sort((a, b) => b - a))
    const count = (bytes: number) => sizes.filter((size) => size === bytes).length
    expect([USUAL, 16 << 10, 4 << 10, 1024].map(count)).to.deep.equal([8, 14, 41, 511])
  })

  it('let the thousandth connection succeed where the limit was raised to 2,048', () => {
    expect(sizesWithin(2048).length).to.be.at.least(1000)
  })

  it('never exceed what is usual', () => {
    expect(affordableRingBytes(2048, { limit: 1024, held: 0 })).to.equal(2048)
    expect(affordableRingBytes(2048, { limit: 1024, held: 300 })).to.equal(2048)
    expect(affordableRingBytes(2048, { limit: 1024, held: 1024 })).to.equal(1024)
  })

  it('are chosen anew for each connection, by name and direct; what a client asks for is tried as it is', async () => {
    const world = await MemoryWorld.start({ grantLimit: 128 })
    const server = await Conduit.open({ substrate: world.domain() })
    const client = await world.environment()
    const sockets: ConduitSocket[] = []
    const dial = async (address: string, ringBytes?: number) => {
      const socket = await client.connect(address, ringBytes === undefined ? {} : { ringBytes })
      sockets.push(socket)
      return socket.channel?.readRingBytes
    }
    await server.createServer().listen('web')
    expect(await dial('web')).to.equal(65_536)
    await server.createServer().listen(`vchan://${client.domid}/direct`)
    // 33 of 128 grants are held: more than a quarter.
    expect(await dial(`vchan://${server.domid}/direct`)).to.equal(16_384)
    expect(await dial('web', 65_536)).to.equal(65_536)
    expect(await dial('web')).to.equal(2048)
    // 76 are held; 33 more fit once, and then no longer.
    expect(await dial('web', 65_536)).to.equal(65_536)
    expect(await dial('web', 65_536)).to.equal(16_384)
    for (const socket of sockets) socket.on('error', () => undefined)
    await server.close()
    await world.close()
  })
})

describe('a peer’s domain that is destroyed', () => {
  it('is noticed by domain 0 on vchan://DOMID/PORT, once everything was read', async () => {
    const world = await MemoryWorld.start()
    const clock = new ManualClock()
    const dom0 = await Conduit.open({ substrate: world.hypervisor.createDomain(0), clock })
    const [doomed, other] = [await world.environment(), await world.environment()]
    const connected: Record<number, ConduitSocket> = {}
    for (const { domid } of [doomed, other]) {
      const server = dom0.createServer((socket) => {
        connected[domid] = socket
      })
      await server.listen(`vchan://${domid}/http`)
    }
    const peers = [await doomed.connect('vchan://0/http'), await other.connect('vchan://0/http')]
    for (const peer of peers) peer.on('error', () => undefined)
    peers[0]!.write('last words')
    const heard: string[] = []
    connected[doomed.domid]!.on('data', (chunk) => heard.push(String(chunk)))
    let failure: unknown
    connected[doomed.domid]!.once('error', (error) => {
      failure = error
    })
    // As xl destroy: the store knows, and no page says so.
    world.store.domainDied(doomed.domid)
    await eventually(() => {
      clock.advance(1000)
      return failure
    })
    expect(failure).to.include({ code: 'ECONNRESET', domid: doomed.domid })
    expect(heard).to.deep.equal(['last words'])
    expect(connected[other.domid]!.destroyed).to.equal(false)
    world.store.introduceDomain(domid(doomed.domid))
    await dom0.close()
    await world.close()
  })
})
