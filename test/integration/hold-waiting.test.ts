// A held address while its service boots: who waits, who is gone, who is turned away, and what becomes of them when the boot is over.

import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { expect } from 'chai'
import { ConduitError } from '../../src/errors.js'
import { HeldAddress } from '../../src/jitsu/hold/index.js'
import { native } from '../../src/native.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { RESET } from '../support/held-client.js'
import { HoldWorld } from '../support/hold-world.js'
import { urgentClient } from '../support/python-peer.js'

const failed = (): ConduitError => new ConduitError('BOOT_FAILED', 'www ended while it booted: exit status 1')

/** How often a function of the addon is called from now on. */
function countCalls(name: 'tcpState'): { count: number; stop(): void } {
  const addon = native()
  const original = addon[name]
  const calls = {
    count: 0,
    stop: () => {
      addon[name] = original
    },
  }
  addon[name] = (fd) => {
    calls.count++
    return original(fd)
  }
  return calls
}

describe('a held address', () => {
  let world: HoldWorld
  let guest: Server
  let target: string

  beforeEach(async () => {
    guest = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (chunk: Buffer) => socket.end(`hello ${chunk}`))
    })
    guest.listen(0, '127.0.0.1')
    await once(guest, 'listening')
    target = `127.0.0.1:${(guest.address() as { port: number }).port}`
    world = new HoldWorld()
  })
  afterEach(async () => {
    await world.close()
    guest.close()
    await once(guest, 'close')
  })

  it('says where it listens, also with a port of the kernel’s choice and on IPv6', async () => {
    const held = await world.hold({ handover: 'tcp', target, address: '[::1]:0' })
    expect(held.address).to.match(/^\[::1\]:[1-9][0-9]*$/)
    world.service.becomesReady()
    const client = await world.client(held)
    client.socket.end('six')
    expect(await client.outcome()).to.deep.equal({ text: 'hello six', ended: true, error: undefined })
  })

  it('summons its service for the first client, and keeps what clients send until it is ready', async () => {
    const held = await world.hold({ handover: 'tcp', target })
    expect(world.service.boots).to.equal(0)
    const clients = await world.clients(held, 3)
    for (const [index, client] of clients.entries()) client.socket.write(`client ${index}`)
    await eventually(() => held.counters.waiting === 3)
    expect(world.service).to.include({ boots: 1, summons: 3 })
    world.service.becomesReady()
    for (const [index, client] of clients.entries()) {
      client.socket.end()
      expect(await client.outcome()).to.deep.equal({ text: `hello client ${index}`, ended: true, error: undefined })
    }
    expect(held.counters).to.include({ accepted: 3, handedOver: 3, waiting: 0, failed: 0 })
  })

  it('hands over to a service that is ready without a boot', async () => {
    const held = await world.hold({ handover: 'tcp', target })
    world.service.becomesReady()
    const client = await world.client(held)
    client.socket.end('now')
    expect((await client.outcome()).text).to.equal('hello now')
    expect(world.service.boots).to.equal(0)
  })

  it('resets who waits when the boot fails, says why once, and summons anew for the next', async () => {
    const held = await world.hold({ handover: 'tcp', target })
    const clients = await world.clients(held, 5)
    await eventually(() => held.counters.waiting === 5)
    world.service.fails(failed())
    for (const client of clients) expect(await client.outcome()).to.deep.equal(RESET)
    expect(held.counters).to.include({ failed: 5, waiting: 0 })
    await eventually(() => world.log.length > 0)
    expect(world.log).to.have.length(1)
    expect(world.log[0]).to.include({ clients: 5, reason: failed().message, code: 'BOOT_FAILED' })
    const later = await world.client(held)
    later.socket.end('again')
    await eventually(() => world.service.boots === 2)
    world.service.becomesReady()
    expect((await later.outcome()).text).to.equal('hello again')
  })

  it('frees the place of a client that resets the connection while it waits, in every mode', async () => {
    for (const handover of ['tcp', 'conduit', 'fd']) {
      const held = await world.hold({ handover, ...(handover === 'tcp' ? { target } : {}), maxConnections: 1 } as never)
      const client = await world.client(held)
      client.socket.write('something that is never read')
      await eventually(() => held.counters.waiting === 1)
      client.socket.resetAndDestroy()
      await eventually(() => held.counters.gone === 1)
      expect(held.counters, handover).to.include({ waiting: 0, failed: 0 })
      const next = await world.client(held)
      await eventually(() => held.counters.waiting === 1)
      next.socket.resetAndDestroy()
    }
  })

  it('frees the place of a client that ended its direction before it reset the connection', async () => {
    for (const handover of ['tcp', 'fd']) {
      const held = await world.hold({ handover, ...(handover === 'tcp' ? { target } : {}) } as never)
      const client = await world.client(held)
      await eventually(() => held.counters.waiting === 1)
      client.socket.end('the end')
      await once(client.socket, 'finish')
      client.socket.resetAndDestroy()
      await eventually(() => held.counters.gone === 1)
    }
  })

  it('does not take a client for gone that has only ended its direction', async () => {
    const held = await world.hold({ handover: 'tcp', target })
    const client = await world.client(held)
    client.socket.end('and that is all')
    await once(client.socket, 'finish')
    await eventually(() => held.counters.waiting === 1)
    world.service.becomesReady()
    expect(await client.outcome()).to.deep.equal({ text: 'hello and that is all', ended: true, error: undefined })
    expect(held.counters.gone).to.equal(0)
  })

  it('resets clients beyond maxConnections, and leaves the others unharmed', async () => {
    const held = await world.hold({ handover: 'tcp', target, maxConnections: 2 })
    const [first, second, third] = await world.clients(held, 3)
    expect(await third!.outcome()).to.deep.equal(RESET)
    expect(held.counters).to.include({ accepted: 3, refused: 1, waiting: 2 })
    world.service.becomesReady()
    first!.socket.end('one')
    second!.socket.end('two')
    expect((await first!.outcome()).text).to.equal('hello one')
    expect((await second!.outcome()).text).to.equal('hello two')
    await eventually(() => world.log.some(({ reason }) => reason?.includes('2 connections are held already') === true))
  })

  it('keeps no more than maxBytes of a client: the rest waits at the client', async () => {
    const held = await world.hold({ handover: 'tcp', target, maxBytes: 10_000 })
    const client = await world.client(held)
    const sent = Buffer.alloc(32 * 1024 * 1024, 'x')
    let flushed = false
    client.socket.write(sent, () => {
      flushed = true
    })
    // Kernel buffers at both ends take a few megabytes; a proxy that read all would let the whole write through.
    await eventually(() => held.counters.waiting === 1)
    const quick = await world.client(held)
    quick.socket.write('q')
    await eventually(() => held.counters.waiting === 2)
    expect(held.counters.keptBytes).to.be.at.most(2 * 10_000)
    expect(flushed).to.equal(false)
    world.service.becomesReady()
    quick.socket.end()
    expect((await quick.outcome()).text).to.equal('hello q')
  })

  it('has memory of clients that send byte by byte bounded, and serves the others', async () => {
    const held = await world.hold({ handover: 'tcp', target, maxBytes: 64 })
    const slow = await world.clients(held, 50)
    for (let round = 0; round < 100; round++) for (const { socket } of slow) socket.write('s')
    await eventually(() => held.counters.keptBytes === 50 * 64)
    const quick = await world.client(held)
    quick.socket.write('quick')
    await eventually(() => held.counters.waiting === 51)
    world.service.becomesReady()
    expect(await eventually(() => quick.text === 'hello quick')).to.equal(true)
    quick.socket.end()
  })

  it('hands a thousand clients of one boot over, each with its own bytes', async () => {
    const held = await world.hold({ handover: 'tcp', target })
    const clients = await world.clients(held, 1000)
    for (const [index, client] of clients.entries()) client.socket.end(`client ${index}`)
    await eventually(() => held.counters.waiting === 1000)
    world.service.becomesReady()
    for (const [index, client] of clients.entries()) {
      expect(await client.outcome()).to.deep.equal({ text: `hello client ${index}`, ended: true, error: undefined })
    }
    expect(held.counters).to.include({ accepted: 1000, handedOver: 1000 })
    expect(world.service.boots).to.equal(1)
  })

  it('resets who waits when it is closed, and gives the address up at once', async () => {
    const held = await world.hold({ handover: 'tcp', target })
    const client = await world.client(held)
    await eventually(() => held.counters.waiting === 1)
    await held.close()
    expect(await client.outcome()).to.deep.equal(RESET)
    const again = await world.hold({ handover: 'tcp', target, address: held.address })
    expect(again.address).to.equal(held.address)
    await held.close()
  })

  it('keeps relayed connections when it is closed, unless it is told otherwise', async () => {
    const held = await world.hold({ handover: 'tcp', target })
    world.service.becomesReady()
    const kept = await world.client(held)
    await eventually(() => held.counters.relayed === 1)
    await held.close()
    kept.socket.end('still here')
    expect((await kept.outcome()).text).to.equal('hello still here')
    const other = await world.hold({ handover: 'tcp', target })
    const dropped = await world.client(other)
    await eventually(() => other.counters.relayed === 1)
    await other.close({ relayed: 'reset' })
    expect(await dropped.outcome()).to.deep.equal(RESET)
  })

  it('that is taken is EADDRINUSE with a hint, and one that this machine does not have says so', async () => {
    const held = await world.hold({ handover: 'tcp', target })
    const taken = await expectCode(world.hold({ handover: 'tcp', target, address: held.address }), 'EADDRINUSE')
    expect(taken.hint).to.contain('ss -ltnp')
    const nowhere = await expectCode(world.hold({ handover: 'tcp', target, address: '192.0.2.1:0' }), 'SYSTEM')
    expect(nowhere).to.include({ errno: 'EADDRNOTAVAIL' })
    expect(nowhere.hint).to.contain('no such address')
  })

  it('of descriptors without takers is a mistake of the program', async () => {
    const held = HeldAddress.listen(
      { address: '127.0.0.1:0', handover: 'fd', maxBytes: 1, maxConnections: 1 },
      world.service,
    )
    const error = await held.catch((caught: unknown) => caught)
    expect(error).to.be.instanceOf(TypeError)
  })

  it('is not kept awake by an urgent byte before the end of a client', async () => {
    const held = await world.hold({ handover: 'fd' })
    const looks = countCalls('tcpState')
    const client = await urgentClient(held.address)
    await eventually(() => held.counters.waiting === 1 && looks.count > 0)
    await turns(50)
    const { count } = looks
    await turns(500)
    expect(looks.count).to.equal(count)
    looks.stop()
    await client.end()
  })
})
