// One channel between two domains of an in-process hypervisor: bytes, ends, teardown, the handshake's failures.
import { expect } from 'chai'
import { endMarksOffset, OFFSET, ordersFault } from '../../protocol/vchan-page.js'
import { evtchnPort, gref } from '../../protocol/xen.js'
import { MemoryHypervisor } from '../../src/substrate/memory.js'
import { VchanChannel } from '../../src/vchan/channel.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { kick, pageOf } from '../support/hostile-peer.js'
import { CLIENT, SERVER, vchanPair } from '../support/vchan-pair.js'

const pattern = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

/** Move everything from one end to the other by turns, in pieces of at most `piece` bytes. */
function transfer(from: VchanChannel, to: VchanChannel, bytes: Uint8Array, piece = 65536): Uint8Array {
  const received = new Uint8Array(bytes.length)
  let sent = 0
  let got = 0
  while (got < bytes.length) {
    sent += from.write(bytes.subarray(sent, sent + piece))
    const count = to.read(received.subarray(got, got + piece))
    if (count === 0 && sent === bytes.length) throw new Error(`stuck after ${got} bytes`)
    got += count
  }
  return received
}

describe('vchan channel', () => {
  it('I3: every legal pair of orders carries bytes both ways, and every other is refused', async () => {
    for (let left = 10; left <= 20; left++) {
      for (let right = 10; right <= 20; right++) {
        if (ordersFault({ left, right }) !== undefined) continue
        const pair = await vchanPair({ testing: { orders: { left, right } } })
        const { server, client } = pair
        expect([client.writeRingBytes, client.readRingBytes]).to.deep.equal([2 ** left, 2 ** right])
        expect([server.readRingBytes, server.writeRingBytes]).to.deep.equal([2 ** left, 2 ** right])
        const bytes = pattern(2 ** Math.max(left, right) + 3)
        expect(transfer(client, server, bytes)).to.deep.equal(bytes)
        expect(transfer(server, client, bytes)).to.deep.equal(bytes)
        await pair.close()
      }
    }
  })

  for (const order of [10, 11, 12]) {
    const orders = { left: order, right: order === 11 ? 10 : 11 }
    it(`I3: order ${order}: sizes around the ring's, as stream and as packets, also across the wrap at 2^32`, async () => {
      for (const startIndex of [0, 0xffff_ffff, 0x7fff_ffff, 2 ** 32 - 2 ** order]) {
        const pair = await vchanPair({ testing: { orders, startIndex } })
        const { server, client } = pair
        const ring = client.writeRingBytes
        for (const size of [0, 1, ring - 1, ring, ring + 1, 3 * ring + 1]) {
          const bytes = pattern(size)
          expect(transfer(client, server, bytes, ring)).to.deep.equal(bytes)
          if (size > ring) continue
          const target = new Uint8Array(size)
          expect(client.send(bytes)).to.equal(true)
          expect(server.dataReady).to.equal(size)
          expect(server.receive(target)).to.equal(true)
          expect(target).to.deep.equal(bytes)
        }
        await pair.close()
      }
    })
  }

  it('writes what fits and says how much; reads what is there', async () => {
    const pair = await vchanPair({ leftBytes: 4096, rightBytes: 4096 })
    const { server, client } = pair
    expect(client.bufferSpace).to.equal(4096)
    expect(client.write(pattern(5000))).to.equal(4096)
    expect(client.write(pattern(1))).to.equal(0)
    expect(client.bufferSpace).to.equal(0)
    expect(server.dataReady).to.equal(4096)
    const target = new Uint8Array(10_000)
    expect(server.read(target.subarray(0, 96))).to.equal(96)
    expect(client.bufferSpace).to.equal(96)
    expect(server.read(target)).to.equal(4000)
    expect(server.read(target)).to.equal(0)
    await pair.close()
  })

  it('packets move whole or not at all', async () => {
    const pair = await vchanPair({ leftBytes: 4096, rightBytes: 4096 })
    const { server, client } = pair
    expect(client.send(pattern(4000))).to.equal(true)
    expect(client.send(pattern(97))).to.equal(false)
    expect(server.dataReady).to.equal(4000)
    expect(server.receive(new Uint8Array(4001))).to.equal(false)
    expect(server.dataReady).to.equal(4000)
    expect(server.receive(new Uint8Array(4000))).to.equal(true)
    expect(client.send(pattern(97))).to.equal(true)
    expect(() => client.send(pattern(4097))).to.throw(RangeError)
    expect(() => server.receive(new Uint8Array(4097))).to.throw(RangeError)
    await pair.close()
  })

  it('I5: asks for a notification only when there is nothing to do', async () => {
    const pair = await vchanPair({ manual: true })
    const { hypervisor, server, client } = pair
    await hypervisor.settle()
    client.write(pattern(10))
    await hypervisor.settle()
    const woken = server.counters.wakeups
    client.write(pattern(10))
    await hypervisor.settle()
    expect(server.counters.wakeups, 'nobody asked').to.equal(woken)
    server.read(new Uint8Array(100))
    server.read(new Uint8Array(100))
    client.write(pattern(10))
    client.write(pattern(10))
    await hypervisor.settle()
    expect(server.counters.wakeups, 'two writes, one event').to.equal(woken + 1)
    await pair.close()
  })

  it('runs the handler when space is freed for a writer that found none', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    let woken = 0
    client.onWake(() => woken++)
    expect(client.write(pattern(5000))).to.equal(4096)
    await hypervisor.settle()
    woken = 0
    server.read(new Uint8Array(10))
    await hypervisor.settle()
    expect(woken).to.equal(1)
    expect(client.write(pattern(100))).to.equal(10)
    await pair.close()
  })

  it('I6, I8: end() delivers what was written, then the end, and the other direction goes on', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    client.write(pattern(100))
    client.end()
    await hypervisor.settle()
    expect(client.outbound).to.equal('ended')
    expect(() => client.write(pattern(1)))
      .to.throw()
      .with.property('code', 'EPIPE')
    const target = new Uint8Array(200)
    expect(server.inbound).to.equal('open')
    expect(server.read(target)).to.equal(100)
    expect(server.read(target)).to.equal(0)
    expect(server.inbound).to.equal('ended')
    expect(server.write(pattern(50))).to.equal(50)
    expect(client.read(target)).to.equal(50)
    expect(server.state).to.equal('open')
    await pair.close()
  })

  it('I6, I8: a peer that closes without ending is a reset, after every byte it wrote', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    client.write(pattern(100))
    await client.close()
    await hypervisor.settle()
    const target = new Uint8Array(200)
    expect(server.read(target)).to.equal(100)
    expect(server.inbound).to.equal('open')
    expect(server.read(target)).to.equal(0)
    expect(server.inbound).to.equal('reset')
    expect(() => server.write(pattern(1)))
      .to.throw()
      .with.property('code', 'ECONNRESET')
    await pair.close()
  })

  for (const victim of ['client', 'server'] as const) {
    it(`I6, I7: the death of the ${victim}'s domain is a reset, after every byte it wrote`, async () => {
      const pair = await vchanPair()
      const { hypervisor } = pair
      const survivor = victim === 'client' ? pair.server : pair.client
      pair[victim].write(pattern(100))
      hypervisor.kill(victim === 'client' ? CLIENT : SERVER)
      await hypervisor.settle()
      expect(survivor.peerGone).to.equal(true)
      const target = new Uint8Array(200)
      expect(survivor.read(target)).to.equal(100)
      expect(survivor.read(target)).to.equal(0)
      expect(survivor.inbound).to.equal('reset')
      await survivor.close()
      hypervisor.assertClean()
    })
  }

  it('I7: dead is latched, whatever the byte says later', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    const page = pageOf(client)
    page[OFFSET.CLI_LIVE] = 0
    client.flush()
    kick(client)
    await hypervisor.settle()
    expect(server.peerGone).to.equal(true)
    page[OFFSET.CLI_LIVE] = 1
    kick(client)
    await hypervisor.settle()
    expect(server.peerGone).to.equal(true)
    expect(() => server.write(pattern(1)))
      .to.throw()
      .with.property('code', 'ECONNRESET')
    await pair.close()
  })

  it('I8: towards a peer without end marks, end() waits until everything was read, then closes both directions', async () => {
    const pair = await vchanPair({ endMarks: false })
    const { server, client, hypervisor } = pair
    expect(client.halfCloseSupported).to.equal(false)
    client.write(pattern(100))
    server.write(pattern(30))
    client.end()
    await hypervisor.settle()
    expect(client.outbound).to.equal('ending')
    expect(pageOf(server)[OFFSET.CLI_LIVE]).to.equal(1)
    const target = new Uint8Array(200)
    expect(server.read(target)).to.equal(100)
    await hypervisor.settle()
    expect(client.outbound).to.equal('ended')
    expect(server.read(target)).to.equal(0)
    expect(server.inbound, 'as libxenvchan sees it').to.equal('ended')
    expect(client.read(target), 'what had come is still there').to.equal(30)
    expect(client.read(target)).to.equal(0)
    expect(client.inbound).to.equal('ended')
    await pair.close()
  })

  it('counts what a peer left unread when it went', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    client.write(pattern(100))
    server.read(new Uint8Array(40))
    await server.close()
    await hypervisor.settle()
    client.end()
    expect(client.lostBytes).to.equal(60)
    await pair.close()
  })

  it("what is held stays the peer's until it is released, and the end comes after that", async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    server.holdReads()
    client.write(pattern(4096))
    client.end()
    await hypervisor.settle()
    const target = new Uint8Array(4096)
    expect(server.read(target)).to.equal(4096)
    expect(target).to.deep.equal(pattern(4096))
    expect([server.dataReady, server.inbound, client.bufferSpace]).to.deep.equal([0, 'open', 0])
    server.release(4095)
    expect([server.dataReady, server.inbound, client.bufferSpace]).to.deep.equal([0, 'open', 4095])
    const woken = new Promise<void>((resolve) => server.onWake(resolve))
    server.release(1)
    await woken
    expect([server.dataReady, server.inbound, client.bufferSpace]).to.deep.equal([0, 'ended', 4096])
    expect(() => server.release(1)).to.throw(RangeError)
    await pair.close()
  })

  it('I5: a writer asleep on a ring full of held bytes is woken by their release', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    server.holdReads()
    client.write(pattern(4096))
    expect(client.write(pattern(1))).to.equal(0)
    server.read(new Uint8Array(4096))
    await hypervisor.settle()
    expect(client.write(pattern(1))).to.equal(0)
    const woken = new Promise<void>((resolve) => client.onWake(resolve))
    server.release(4096)
    await woken
    expect(client.write(pattern(1))).to.equal(1)
    await pair.close()
  })

  it('what is held when its reader closes was not read', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    server.holdReads()
    client.write(pattern(100))
    server.read(new Uint8Array(100))
    server.release(40)
    await server.close()
    await hypervisor.settle()
    client.end()
    expect(client.lostBytes).to.equal(60)
    server.release(60)
    await pair.close()
  })

  it('with linger(), end() is done when the peer has read everything; it has seen the end by then', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    client.linger()
    client.write(pattern(100))
    client.end()
    await hypervisor.settle()
    expect(client.outbound).to.equal('ending')
    server.read(new Uint8Array(99))
    await hypervisor.settle()
    expect(client.outbound).to.equal('ending')
    server.read(new Uint8Array(1))
    expect([server.dataReady, server.inbound]).to.deep.equal([0, 'ended'])
    await hypervisor.settle()
    expect([client.outbound, client.lostBytes, client.state]).to.deep.equal(['ended', 0, 'open'])
    expect(server.write(pattern(5))).to.equal(5)
    await pair.close()
  })

  it('with linger(), a peer that has ended and goes without reading is counted, though it went after the end', async () => {
    const pair = await vchanPair()
    const { server, client, hypervisor } = pair
    client.linger()
    client.write(pattern(100))
    client.end()
    server.end()
    await server.close()
    await hypervisor.settle()
    expect([client.outbound, client.lostBytes]).to.deep.equal(['ended', 100])
    await pair.close()
  })

  it('close is idempotent and ends every operation', async () => {
    const pair = await vchanPair()
    const { server } = pair
    expect(server.close()).to.equal(server.close())
    expect(server.state).to.equal('closed')
    const calls = [
      () => server.read(new Uint8Array(1)),
      () => server.write(new Uint8Array(1)),
      () => server.dataReady,
      () => server.inspect(),
    ]
    for (const call of calls) expect(call).to.throw().with.property('code', 'VCHAN_CLOSED')
    server.end()
    server.destroy()
    await pair.close()
  })

  it('connected() waits for the client, an abort, or the end of the channel', async () => {
    const hypervisor = new MemoryHypervisor()
    const domain = hypervisor.createDomain(SERVER)
    const serve = () => VchanChannel.serve(domain, CLIENT, { leftBytes: 0, rightBytes: 0 })
    const server = await serve()
    expect(server.state).to.equal('waiting')
    const abort = new AbortController()
    const aborted = rejectionOf(server.connected({ signal: abort.signal }))
    abort.abort(new Error('enough'))
    expect(await aborted).to.have.property('message', 'enough')
    const closed = rejectionOf(server.connected())
    await server.close()
    expect(await closed).to.have.property('code', 'VCHAN_CLOSED')
    const second = await serve()
    const connected = second.connected()
    const clientDomain = hypervisor.createDomain(CLIENT)
    const client = await VchanChannel.connect(clientDomain, SERVER, second.ringRef, second.port)
    await connected
    expect(second.state).to.equal('open')
    await Promise.all([second.close(), client.close()])
    hypervisor.assertClean()
  })

  it('I7: a client that dies before it says alive never came: connected() rejects, it is no clean end', async () => {
    const hypervisor = new MemoryHypervisor()
    const domain = hypervisor.createDomain(SERVER)
    const server = await VchanChannel.serve(domain, CLIENT, { leftBytes: 0, rightBytes: 0 })
    const connected = rejectionOf(server.connected())
    const clientDomain = hypervisor.createDomain(CLIENT)
    const port = await clientDomain.bind(SERVER, server.port)
    const onUnmap = { byteOffset: OFFSET.CLI_LIVE, port: port.port }
    const page = await clientDomain.map(SERVER, [server.ringRef], { access: 'rw', onUnmap })
    page.close()
    expect(await connected).to.have.property('code', 'ECONNRESET')
    expect(server.state).to.equal('closed')
    await Promise.all([port.close(), server.close()])
    hypervisor.assertClean()
  })

  it('I7: a peer without end marks that came, wrote nothing and closed before anybody looked did come', async () => {
    const hypervisor = new MemoryHypervisor({ manual: true })
    const domain = hypervisor.createDomain(SERVER)
    const server = await VchanChannel.serve(domain, CLIENT, { leftBytes: 0, rightBytes: 0, endMarks: false })
    const connected = server.connected()
    const clientDomain = hypervisor.createDomain(CLIENT)
    const client = await VchanChannel.connect(clientDomain, SERVER, server.ringRef, server.port)
    await client.close()
    await hypervisor.settle()
    await connected
    expect(server.read(new Uint8Array(1))).to.equal(0)
    expect(server.inbound).to.equal('ended')
    await server.close()
    hypervisor.assertClean()
  })

  it('I10: a failure at any step of the handshake leaves nothing behind', async () => {
    for (const point of ['share', 'listen'] as const) {
      const hypervisor = new MemoryHypervisor()
      const domain = hypervisor.createDomain(SERVER)
      hypervisor.fail(point, 'GRANT_LIMIT')
      const error = await rejectionOf(VchanChannel.serve(domain, CLIENT, { leftBytes: 9000, rightBytes: 9000 }))
      expect(error).to.have.property('code', 'GRANT_LIMIT')
      hypervisor.assertClean()
    }
    for (const [point, nth] of [
      ['bind', 1],
      ['map', 1],
      ['map', 2],
      ['map', 3],
    ] as const) {
      const hypervisor = new MemoryHypervisor()
      const domain = hypervisor.createDomain(SERVER)
      const server = await VchanChannel.serve(domain, CLIENT, { leftBytes: 9000, rightBytes: 9000 })
      const clientDomain = hypervisor.createDomain(CLIENT)
      hypervisor.fail(point, 'MAPPING_FAILED', nth)
      const error = await rejectionOf(VchanChannel.connect(clientDomain, SERVER, server.ringRef, server.port))
      expect(error).to.have.property('code', 'MAPPING_FAILED')
      await server.close()
      hypervisor.assertClean()
    }
  })

  it('refuses references and ports that are not there, and a server that has gone', async () => {
    const pair = await vchanPair()
    const { server, clientDomain } = pair
    const connect = (ref: number, port: number) =>
      rejectionOf(VchanChannel.connect(clientDomain, SERVER, gref(ref), evtchnPort(port)))
    expect(await connect(server.ringRef, 999)).to.have.property('code', 'EVTCHN_INVALID')
    expect(await connect(server.ringRef, server.port), 'bound already').to.have.property('code', 'EVTCHN_INVALID')
    await pair.close()
  })

  it('decodes the control page once', async () => {
    const pair = await vchanPair({ leftBytes: 4096, rightBytes: 8192 })
    const { server, client } = pair
    client.write(pattern(10))
    const shown = server.inspect()
    expect(shown.left).to.deep.include({ order: 12, prod: 10, cons: 0, used: 10 })
    expect(shown.right).to.deep.include({ order: 13, prod: 0, cons: 0, used: 0 })
    expect(shown.left.grants).to.have.lengthOf(1)
    expect(shown.right.grants).to.have.lengthOf(2)
    expect(shown).to.deep.include({ clientLive: 1, serverLive: 1, fault: undefined })
    const offset = endMarksOffset({ left: 12, right: 13 })
    expect(shown.endMarks).to.deep.equal({ offset, version: 1, client: 1, server: 1 })
    await pair.close()
  })

  it('refuses a spinMicros that is none', async () => {
    const hypervisor = new MemoryHypervisor()
    const domain = hypervisor.createDomain(SERVER)
    for (const spinMicros of [-1, 1.5, 1001]) {
      const error = await rejectionOf(VchanChannel.serve(domain, CLIENT, { leftBytes: 0, rightBytes: 0, spinMicros }))
      expect(error).to.be.instanceOf(RangeError)
    }
    hypervisor.assertClean()
  })
})
