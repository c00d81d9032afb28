// The DNS server over TCP: many queries a connection, clients that are slow, idle, greedy or gone.
import { expect } from 'chai'
import { DNS_FLAG, frameDns, rcodeOf } from '../../protocol/dns.js'
import { decoded, dnsQuestion } from '../support/dns-asker.js'
import { DnsWorld } from '../support/dns-world.js'
import { eventually, turns } from '../support/eventually.js'

const name = 'www.example.org'
const many = Array.from({ length: 2000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`)
const specs = [
  { name: 'www', state: 'ready' as const },
  { name: 'slow', addresses: ['192.0.2.2'] },
  { name: 'many', addresses: many, state: 'ready' as const },
]

describe('the DNS server over TCP', () => {
  let world: DnsWorld
  const open = async (options = {}) => {
    world = await DnsWorld.open(specs, options)
    return world.tcp()
  }
  afterEach(() => world.close())

  it('sends what does not fit into a datagram', async () => {
    const asker = await open()
    const { answers, flags } = await asker.ask('many.example.org')
    expect([answers.length, flags & DNS_FLAG.TC]).to.deep.equal([2000, 0])
  })

  it('answers queries that come at once, in pieces, and byte by byte', async () => {
    const asker = await open()
    const queries = [1, 2, 3, 4].map((id) => frameDns(dnsQuestion(name, 'A', { id })))
    const bytes = Buffer.concat(queries)
    asker.socket.write(bytes.subarray(0, 50))
    for (const byte of bytes.subarray(50)) asker.socket.write(Buffer.from([byte]))
    for (const id of [1, 2, 3, 4]) expect(decoded(await asker.next()).id).to.equal(id)
  })

  it('answers what is ready before what was asked earlier', async () => {
    const asker = await open()
    const slow = world.services.get('slow')
    asker.send(dnsQuestion('slow.example.org', 'A', { id: 1 }))
    asker.send(dnsQuestion(name, 'A', { id: 2 }))
    expect(decoded(await asker.next()).id).to.equal(2)
    slow.becomeReady()
    expect(decoded(await asker.next()).id).to.equal(1)
  })

  it('reads no more than 128 queries that wait, and the rest when there is room', async () => {
    const asker = await open()
    const slow = world.services.get('slow')
    for (let id = 0; id < 300; id++) asker.send(dnsQuestion('slow.example.org', 'A', { id }))
    await eventually(() => slow.askers.length === 128)
    await turns(50)
    expect(slow.askers).to.have.length(128)
    slow.becomeReady()
    for (let i = 0; i < 300; i++) await asker.next()
    expect(slow.touched).to.equal(300 - 128)
  })

  it('answers who has said that nothing more comes, and then closes', async () => {
    const asker = await open()
    const slow = world.services.get('slow')
    asker.socket.end(frameDns(dnsQuestion('slow.example.org', 'A', { id: 9 })))
    await eventually(() => slow.askers.length === 1)
    // The end arrives as well.
    await turns(50)
    slow.becomeReady()
    expect(decoded(await asker.next()).id).to.equal(9)
    await asker.closed
  })

  it('closes a connection without queries, also one whose frame dribbles in', async () => {
    const idle = await open()
    const dribbling = await world.tcp()
    await eventually(() => world.clock.waiting === 2)
    world.advance(9_999)
    dribbling.socket.write(Buffer.from([0]))
    await turns()
    dribbling.socket.write(Buffer.from([40]))
    await turns()
    expect([idle.socket.destroyed, dribbling.socket.destroyed]).to.deep.equal([false, false])
    world.advance(1)
    await Promise.all([idle.closed, dribbling.closed])
    expect(world.server.counters.tcpClosed).to.equal(2)
    expect(world.clock.waiting).to.equal(0)
  })

  it('does not close one that waits for its answer, and gives it its time after that', async () => {
    const asker = await open()
    const slow = world.services.get('slow')
    const answer = asker.ask('slow.example.org')
    await eventually(() => slow.askers.length === 1)
    world.advance(60_000)
    slow.becomeReady()
    expect(rcodeOf(await answer)).to.equal(0)
    world.advance(9_999)
    expect((await asker.ask(name)).answers).to.have.length(1)
    await eventually(() => world.clock.waiting === 1)
    world.advance(10_000)
    await asker.closed
  })

  it('makes room for a new connection by closing the oldest that waits for nothing', async () => {
    const first = await open({ maxConnections: 2 })
    const slow = world.services.get('slow')
    const waiting = first.ask('slow.example.org')
    await eventually(() => slow.askers.length === 1)
    const second = await world.tcp()
    expect((await second.ask(name)).answers).to.have.length(1)
    const third = await world.tcp()
    expect((await third.ask(name)).answers).to.have.length(1)
    await second.closed
    slow.becomeReady()
    expect((await waiting).answers).to.have.length(1)
  })

  it('refuses a connection when all others wait', async () => {
    const first = await open({ maxConnections: 1 })
    const slow = world.services.get('slow')
    const waiting = first.ask('slow.example.org')
    await eventually(() => slow.askers.length === 1)
    const second = await world.tcp()
    await second.closed
    slow.becomeReady()
    expect((await waiting).answers).to.have.length(1)
  })

  it('stops reading from who does not read its answers, and holds no more than some of them', async () => {
    const asker = await open()
    asker.socket.pause()
    const frame = frameDns(dnsQuestion('many.example.org'))
    for (let i = 0; i < 20_000; i++) asker.socket.write(frame)
    const { counters } = world.server
    let before = -1
    while (before !== counters.tcpQueries) {
      before = counters.tcpQueries
      await turns(500)
    }
    // 32 KiB each: kernel buffers on both sides and what the server holds, of 640 MiB that were asked for.
    expect(counters.tcpQueries).to.be.within(4, 2000)
    // It was not even closed for it.
    expect(counters.tcpClosed).to.equal(0)
    expect((await (await world.udp()).ask(name)).answers).to.have.length(1)
    world.advance(10_000)
    asker.socket.resume()
    await asker.closed
  })

  it('answers garbage with an error or not at all, and the next query as ever', async () => {
    const asker = await open()
    asker.send(Buffer.alloc(65_535, 0x2a))
    expect(rcodeOf(decoded(await asker.next()))).to.equal(4)
    asker.send(Buffer.alloc(65_535))
    expect(rcodeOf(decoded(await asker.next()))).to.equal(1)
    expect((await asker.onlyThen(Buffer.alloc(65_535, 0xff), name)).id).to.equal(0x5afe)
    expect((await asker.onlyThen(Buffer.alloc(0), name)).id).to.equal(0x5afe)
    expect((await asker.onlyThen(Buffer.alloc(11), name)).id).to.equal(0x5afe)
  })

  it('ends every connection when it is closed', async () => {
    const asker = await open()
    expect((await asker.ask(name)).answers).to.have.length(1)
    await world.server.close()
    await asker.closed
    expect(world.clock.waiting).to.equal(0)
    await world.server.close()
  })
})
