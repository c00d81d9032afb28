// What every substrate must do, as one body of tests over any two domains that may talk to each other.
import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import { expect } from 'chai'
import { domid, evtchnPort, type Gref, gref, PAGE_BYTES } from '../../protocol/xen.js'
import type { EventChannel, Pages, Substrate, Wake } from '../../src/substrate/substrate.js'
import { VchanChannel } from '../../src/vchan/channel.js'
import { ConduitSocket } from '../../src/vchan/socket.js'
import { expectCode } from '../support/expect-rejection.js'

export interface SubstrateWorld {
  readonly a: Substrate
  readonly b: Substrate
  /** A third domain, to whom nothing was granted; none where all ends are one domain. */
  readonly stranger: Substrate | undefined
  /** Close the domains that are left and check that nothing is. */
  close(): Promise<void>
}

const bytesOf = (pages: Pages & { readonly byteOffset?: number }): Uint8Array =>
  new Uint8Array(pages.buffer, pages.byteOffset ?? 0, pages.bytes)

/** Resolves at the port's next event from now on. */
function nextEvent(channel: EventChannel): Promise<Wake> {
  channel.ref()
  return new Promise((resolve) => {
    channel.onEvent((wake) => {
      resolve(wake)
      return 0
    })
  })
}

const NO_PEER = domid(0x7000)

export function substrateSuite(name: string, makeWorld: () => Promise<SubstrateWorld>): void {
  describe(`substrate: ${name}`, () => {
    let world: SubstrateWorld
    beforeEach(async () => {
      world = await makeWorld()
    })
    afterEach(() => world.close())

    pages(() => world)
    ports(() => world)
    unmapNotifications(() => world)
    channels(() => world)
  })
}

function pages(world: () => SubstrateWorld): void {
  it('shares zeroed pages that both sides write and read', async () => {
    const { a, b } = world()
    const share = await a.share(b.domid, 3)
    expect(share.bytes).to.equal(3 * PAGE_BYTES)
    expect(share.grefs).to.have.lengthOf(3)
    expect(bytesOf(share).every((byte) => byte === 0)).to.equal(true)
    const mapping = await b.map(a.domid, share.grefs, { access: 'rw' })
    expect(mapping.bytes).to.equal(3 * PAGE_BYTES)
    bytesOf(share)[2 * PAGE_BYTES + 5] = 17
    expect(bytesOf(mapping)[2 * PAGE_BYTES + 5]).to.equal(17)
    bytesOf(mapping)[4095] = 23
    expect(bytesOf(share)[4095]).to.equal(23)
    mapping.close()
    share.close()
  })

  it('maps some of the pages of a share, in their order', async () => {
    const { a, b } = world()
    const share = await a.share(b.domid, 4)
    for (let page = 0; page < 4; page++) bytesOf(share)[page * PAGE_BYTES] = 100 + page
    const mapping = await b.map(a.domid, share.grefs.slice(1, 3), { access: 'r' })
    expect(mapping.bytes).to.equal(2 * PAGE_BYTES)
    expect([bytesOf(mapping)[0], bytesOf(mapping)[PAGE_BYTES]]).to.deep.equal([101, 102])
    mapping.close()
    share.close()
  })

  it('refuses grants that were never made, were made to another, or are over', async () => {
    const { a, b, stranger } = world()
    const share = await a.share(b.domid, 1)
    await expectCode(b.map(a.domid, [gref(0xeeee_eeee)], { access: 'rw' }), 'GRANT_INVALID')
    await expectCode(b.map(NO_PEER, share.grefs, { access: 'rw' }), 'GRANT_INVALID')
    if (stranger !== undefined) {
      await expectCode(stranger.map(a.domid, share.grefs, { access: 'rw' }), 'GRANT_INVALID')
    }
    await expectCode(b.map(a.domid, [share.grefs[0]!, gref(0xeeee_eeee)] as Gref[], { access: 'rw' }), 'GRANT_INVALID')
    share.close()
    // Between processes the news travels: an answer to a later request of the same domain comes after it.
    await (await a.listen(b.domid)).close()
    await expectCode(b.map(a.domid, share.grefs, { access: 'rw' }), 'GRANT_INVALID')
  })

  it('refuses to map for writing what was granted for reading', async () => {
    const { a, b } = world()
    const share = await a.share(b.domid, 1, { access: 'r' })
    await expectCode(b.map(a.domid, share.grefs, { access: 'rw' }), 'GRANT_INVALID')
    const mapping = await b.map(a.domid, share.grefs, { access: 'r' })
    bytesOf(share)[0] = 9
    expect(bytesOf(mapping)[0]).to.equal(9)
    mapping.close()
    share.close()
  })

  it('a mapping outlives the grant; a closed one has no bytes, and closing again does nothing', async () => {
    const { a, b } = world()
    const share = await a.share(b.domid, 1)
    const mapping = await b.map(a.domid, share.grefs, { access: 'rw' })
    bytesOf(share)[1] = 77
    tryTransfer(share.buffer)
    expect(share.buffer.byteLength).to.equal(PAGE_BYTES)
    share.close()
    share.close()
    expect(share.closed).to.equal(true)
    expect(share.buffer.byteLength).to.equal(0)
    expect(bytesOf(mapping)[1]).to.equal(77)
    mapping.close()
    mapping.close()
    expect([mapping.closed, mapping.buffer.byteLength]).to.deep.equal([true, 0])
  })
}

/** Older nodes ignore a transfer that is not allowed, newer ones refuse it; neither may detach the buffer. */
function tryTransfer(buffer: ArrayBuffer): void {
  const { port1, port2 } = new MessageChannel()
  try {
    port1.postMessage(null, [buffer])
  } catch (error) {
    expect(error).to.have.property('name', 'DataCloneError')
  }
  port1.close()
  port2.close()
}

function ports(world: () => SubstrateWorld): void {
  it('carries kicks both ways', async () => {
    const { a, b } = world()
    const listening = await a.listen(b.domid)
    const bound = await b.bind(a.domid, listening.port)
    const there = nextEvent(listening)
    bound.notify()
    expect(await there).to.equal('event')
    const back = nextEvent(bound)
    listening.notify()
    expect(await back).to.equal('event')
    await Promise.all([listening.close(), bound.close()])
  })

  it('keeps a kick for a handler that comes later', async () => {
    const { a, b } = world()
    const listening = await a.listen(b.domid)
    const bound = await b.bind(a.domid, listening.port)
    bound.notify()
    bound.notify()
    await new Promise((resolve) => setImmediate(resolve))
    expect(await nextEvent(listening)).to.equal('event')
    await Promise.all([listening.close(), bound.close()])
  })

  it('lets only the peer named bind, and only once', async () => {
    const { a, b, stranger } = world()
    const listening = await a.listen(b.domid)
    if (stranger !== undefined) await expectCode(stranger.bind(a.domid, listening.port), 'EVTCHN_INVALID')
    await expectCode(b.bind(a.domid, evtchnPort(0xeeee)), 'EVTCHN_INVALID')
    await expectCode(b.bind(NO_PEER, listening.port), 'EVTCHN_INVALID')
    const bound = await b.bind(a.domid, listening.port)
    await expectCode(b.bind(a.domid, listening.port), 'EVTCHN_INVALID')
    await Promise.all([listening.close(), bound.close()])
  })

  it('drops kicks to an end that is closed or was never bound; a closed port runs no handler', async () => {
    const { a, b } = world()
    const listening = await a.listen(b.domid)
    listening.notify()
    const bound = await b.bind(a.domid, listening.port)
    let after = 0
    listening.onEvent(() => {
      after++
      return 0
    })
    bound.notify()
    await listening.close()
    await listening.close()
    bound.notify()
    listening.notify()
    // The other end of a second channel answers only after whatever the first had under way.
    const second = await a.listen(b.domid)
    const other = await b.bind(a.domid, second.port)
    const reached = nextEvent(second)
    other.notify()
    await reached
    expect(after).to.equal(0)
    await Promise.all([bound.close(), second.close(), other.close()])
  })

  it('a handler that asks to spin is called again, even where nothing spins', async () => {
    const { a, b } = world()
    const listening = await a.listen(b.domid)
    const bound = await b.bind(a.domid, listening.port)
    const share = await a.share(b.domid, 1)
    const wakes: Wake[] = []
    listening.spinOn({ pages: share, offsets: [0, 4], state: Int32Array.of(0, 0, 3, 0) })
    listening.ref()
    const rested = new Promise<void>((resolve) => {
      listening.onEvent((wake) => {
        wakes.push(wake)
        if (wake === 'idle') resolve()
        return wake === 'event' ? 20 : 0
      })
    })
    bound.notify()
    await rested
    expect(wakes).to.deep.equal(['event', 'idle'])
    share.close()
    await Promise.all([listening.close(), bound.close()])
  })
}

function unmapNotifications(world: () => SubstrateWorld): void {
  const cases: [string, 'owner' | 'mapper', (pages: Pages, domain: Substrate) => unknown][] = [
    ['a share', 'owner', (closing) => closing.close()],
    ['a mapping', 'mapper', (closing) => closing.close()],
    ['the domain that shares', 'owner', (_, domain) => domain.close()],
    ['the domain that maps', 'mapper', (_, domain) => domain.close()],
  ]
  for (const [what, who, end] of cases) {
    it(`closing ${what} clears the byte asked for and kicks the other side`, async () => {
      const { a, b } = world()
      const listening = await a.listen(b.domid)
      const bound = await b.bind(a.domid, listening.port)
      const share = await a.share(b.domid, 2, { onUnmap: { byteOffset: 4097, port: listening.port } })
      const onUnmap = { byteOffset: 20, port: bound.port }
      const mapping = await b.map(a.domid, share.grefs, { access: 'rw', onUnmap })
      bytesOf(share).fill(1)
      const survivor = who === 'owner' ? mapping : share
      const told = nextEvent(who === 'owner' ? bound : listening)
      await end(who === 'owner' ? share : mapping, who === 'owner' ? a : b)
      await told
      const cleared = [...bytesOf(survivor).entries()].filter(([, byte]) => byte === 0).map(([at]) => at)
      expect(cleared).to.deep.equal([who === 'owner' ? 4097 : 20])
      for (const open of [share, mapping]) open.close()
      await Promise.all([listening.close(), bound.close()])
    })
  }

  it('pages asked for while their port is still on its way notify all the same', async () => {
    const { a, b } = world()
    const port = async (channel: Promise<EventChannel>) => (await channel).port
    const listen = a.listen(b.domid)
    const share = await a.share(b.domid, 1, { onUnmap: { byteOffset: 21, port: port(listen) } })
    const listening = await listen
    const bind = b.bind(a.domid, listening.port)
    const onUnmap = { byteOffset: 20, port: port(bind) }
    const mapping = await b.map(a.domid, share.grefs, { access: 'rw', onUnmap })
    const bound = await bind
    bytesOf(share).fill(1)
    const told = [nextEvent(listening), nextEvent(bound)]
    mapping.close()
    await told[0]
    expect([...bytesOf(share).entries()].filter(([, byte]) => byte === 0)).to.deep.equal([[20, 0]])
    share.close()
    await told[1]
    await Promise.all([listening.close(), bound.close()])
  })

  it('a port that cannot be had takes the pages that were to kick it with it', async () => {
    const { a, b } = world()
    const share = await a.share(b.domid, 1)
    const bind = b.bind(a.domid, evtchnPort(0x7fff))
    const onUnmap = { byteOffset: 20, port: bind.then((channel) => channel.port) }
    await Promise.all([
      expectCode(b.map(a.domid, share.grefs, { access: 'rw', onUnmap }), 'EVTCHN_INVALID'),
      expectCode(a.share(b.domid, 1, { onUnmap }), 'EVTCHN_INVALID'),
      expectCode(bind, 'EVTCHN_INVALID'),
    ])
    expect(bytesOf(share)[20]).to.equal(0)
    share.close()
  })

  it('the notification reaches the other side although the port was closed first', async () => {
    const { a, b } = world()
    const listening = await a.listen(b.domid)
    const bound = await b.bind(a.domid, listening.port)
    const share = await a.share(b.domid, 1, { onUnmap: { byteOffset: 21, port: listening.port } })
    const mapping = await b.map(a.domid, share.grefs, { access: 'rw' })
    const told = nextEvent(bound)
    await listening.close()
    share.close()
    await told
    mapping.close()
    await bound.close()
  })
}

function channels(world: () => SubstrateWorld): void {
  for (const spinMicros of [0, 50]) {
    it(`carries a vchan, ${spinMicros === 0 ? 'asleep' : 'spinning'}`, async () => {
      const { a, b } = world()
      const options = { leftBytes: 65_536, rightBytes: 1024, spinMicros }
      const served = await VchanChannel.serve(a, b.domid, options)
      const connected = await VchanChannel.connect(b, a.domid, served.ringRef, served.port, { spinMicros })
      await served.connected()
      const server = new ConduitSocket(served)
      const client = new ConduitSocket(connected)
      const bytes = Buffer.alloc(1_000_001, 'vchan ')
      const closed = Promise.all([once(server, 'close'), once(client, 'close')])
      server.pipe(server)
      client.end(bytes)
      const received: Buffer[] = []
      client.on('data', (chunk: Buffer) => received.push(chunk))
      expect(await closed).to.deep.equal([[false], [false]])
      expect(Buffer.concat(received).equals(bytes)).to.equal(true)
    })
  }

  it('a domain that closes with channels open resets them at the other side', async () => {
    const { a, b } = world()
    const served = await VchanChannel.serve(a, b.domid, { leftBytes: 0, rightBytes: 0 })
    const connected = await VchanChannel.connect(b, a.domid, served.ringRef, served.port)
    await served.connected()
    const server = new ConduitSocket(served)
    connected.write(Buffer.from('last words'))
    connected.flush()
    const failed = once(server, 'error')
    const heard: Buffer[] = []
    server.on('data', (chunk: Buffer) => heard.push(chunk))
    await b.close()
    const [error] = await failed
    expect(error).to.have.property('code', 'ECONNRESET')
    expect(Buffer.concat(heard).toString()).to.equal('last words')
    await connected.close()
  })
}
