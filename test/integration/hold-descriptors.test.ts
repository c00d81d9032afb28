// Connections that go over as descriptors, to real processes that call adoptConnections(): who gets them, with what, and what the
// clients see when a process ends, however it does.
import { once } from 'node:events'
import { expect } from 'chai'
import type { HeldAddress } from '../../src/jitsu/hold/index.js'
import { eventually } from '../support/eventually.js'
import { RESET } from '../support/held-client.js'
import { HoldWorld } from '../support/hold-world.js'
import { ManualClock } from '../support/manual-clock.js'
import { openFiles } from '../support/open-files.js'

const sockets = (): number =>
  [...openFiles(process.pid).values()].filter((target) => target.startsWith('socket:')).length

describe('a connection handed over as a descriptor', () => {
  let world: HoldWorld

  beforeEach(() => {
    world = new HoldWorld()
  })
  afterEach(async () => {
    await world.close()
  })

  const holdFd = (): Promise<HeldAddress> => world.hold({ handover: 'fd' })

  it('is answered by an HTTP server, with everything that the client sent before there was one', async () => {
    const held = await holdFd()
    const client = await world.client(held)
    client.socket.write('POST /early HTTP/1.1\r\nHost: www\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfir')
    await eventually(() => held.counters.waiting === 1)
    world.service.runs(undefined)
    const started = world.start('http')
    await eventually(() => started.said.includes('ready'))
    client.socket.write('st')
    expect(client.text).to.equal('')
    world.service.becomesReady()
    await eventually(() => client.ended)
    client.socket.end()
    const { text, ended } = await client.outcome()
    expect(text).to.match(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).to.contain('POST /early first')
    expect(ended).to.equal(true)
    expect(held.counters).to.include({ handedOver: 1, waiting: 0 })
  })

  it('is not in jitsud any more, and reported by the process: open, bytes, first byte, closed', async () => {
    const held = await holdFd()
    await world.ready('echo')
    const before = sockets()
    const client = await world.client(held)
    await eventually(() => held.counters.handedOver === 1 && world.service.uses === 1)
    // The client's own end, which this process has as well.
    expect(sockets()).to.equal(before + 1)
    expect(world.takers.openConnections).to.equal(1)
    client.socket.write('twelve bytes')
    await eventually(() => client.text === 'twelve bytes')
    await eventually(() => world.service.bytes === 24)
    await eventually(() => world.service.firstBytes === 1)
    expect(world.service.uses).to.equal(1)
    client.socket.end()
    expect(await client.outcome()).to.deep.equal({ text: 'twelve bytes', ended: true, error: undefined })
    await eventually(() => world.service.uses === 0)
  })

  it('keeps half-close: the server answers after the client has ended', async () => {
    const held = await holdFd()
    const client = await world.client(held)
    client.socket.end('sent before the boot')
    await once(client.socket, 'finish')
    await eventually(() => held.counters.waiting === 1)
    await world.ready('server')
    expect(await client.outcome()).to.deep.equal({ text: 'sent before the boot', ended: true, error: undefined })
  })

  it('carries resets both ways', async () => {
    const held = await holdFd()
    const started = await world.ready('echo')
    const [resets, isReset] = await world.clients(held, 2)
    await eventually(() => held.counters.handedOver === 2)
    resets!.socket.resetAndDestroy()
    await eventually(() => started.said.some((said) => (said as { error?: string }).error === 'ECONNRESET'))
    await eventually(() => world.service.uses === 1)
    started.tell('reset')
    expect(await isReset!.outcome()).to.deep.equal(RESET)
  })

  it('comes in the order of arrival: a thousand clients of one boot', async () => {
    const held = await holdFd()
    const clients = await world.clients(held, 1000)
    await eventually(() => held.counters.waiting === 1000)
    const started = await world.ready('echo')
    await eventually(() => held.counters.handedOver === 1000)
    started.tell('ports')
    const answer = await eventually(() =>
      started.said.find((said) => Array.isArray((said as { ports?: unknown }).ports)),
    )
    expect((answer as { ports: number[] }).ports).to.deep.equal(clients.map(({ socket }) => socket.localPort))
    for (const [index, { socket }] of clients.entries()) socket.end(`${index}`)
    for (const [index, client] of clients.entries()) expect((await client.outcome()).text).to.equal(`${index}`)
  })

  for (const [how, end] of [
    ['is killed', 'SIGKILL'],
    ['is told to end and does not listen to that', 'SIGTERM'],
    ['ends with a failure', 'exit 1'],
    ['throws', 'throw'],
  ] as const) {
    it(`is reset when the process ${how} in the middle of an answer`, async () => {
      const held = await holdFd()
      const started = await world.ready('half')
      const client = await world.client(held)
      await eventually(() => client.text === 'half of it')
      if (end === 'SIGKILL' || end === 'SIGTERM') started.signal(end)
      else started.tell(end)
      expect(await client.outcome()).to.deep.equal({ text: 'half of it', ended: false, error: 'ECONNRESET' })
      await eventually(() => world.service.uses === 0)
    })
  }

  it('ends as usual when the process does', async () => {
    const held = await holdFd()
    const started = await world.ready('half')
    const client = await world.client(held)
    await eventually(() => client.text === 'half of it')
    started.tell('exit 0')
    expect(await eventually(() => client.ended)).to.equal(true)
    expect(client.error).to.equal(undefined)
  })

  it('is reset when the process dies before it took it, and the log says so', async () => {
    const held = await holdFd()
    const started = await world.ready('take-nothing')
    const clients = await world.clients(held, 3)
    await eventually(() => started.said.length === 4)
    await started.kill()
    for (const client of clients) expect(await client.outcome()).to.deep.equal(RESET)
    expect(held.counters).to.include({ notTaken: 3, waiting: 0, handedOver: 0 })
    await eventually(() =>
      world.log.some(({ clients: many, reason }) => many === 3 && reason?.includes('went away') === true),
    )
  })

  it('is reset when the process holds it in its queue and never takes it, though it has a copy', async () => {
    const clock = new ManualClock()
    const held = await world.hold({ handover: 'fd' }, { clock, takers: world.takersOn(clock), handoverLimitMs: 5000 })
    const started = world.start('echo')
    await eventually(() => started.said.includes('ready'))
    started.signal('SIGSTOP')
    world.service.becomesReady()
    const client = await world.client(held)
    await eventually(() => held.counters.waiting === 1)
    clock.advance(5000)
    expect(await client.outcome()).to.deep.equal(RESET)
    expect(held.counters.notTaken).to.equal(1)
    started.signal('SIGCONT')
    await eventually(() => started.said.some((said) => (said as { error?: string }).error !== undefined))
  })

  it('is reset when no process asks for it in time', async () => {
    const clock = new ManualClock()
    const held = await world.hold({ handover: 'fd' }, { clock, takers: world.takersOn(clock), handoverLimitMs: 5000 })
    const client = await world.client(held)
    world.service.becomesReady()
    await eventually(() => clock.waiting > 0)
    clock.advance(5000)
    expect(await client.outcome()).to.deep.equal(RESET)
    await eventually(() => world.log.length > 0)
    expect(world.log[0]!.reason).to.contain('no process of www took the connection')
  })

  it('goes to nobody whom the launcher did not start', async () => {
    const held = await holdFd()
    const own = await world.ready('echo')
    const stranger = world.start('echo', { foreign: true })
    await eventually(() => stranger.said.some((said) => (said as { failed?: string }).failed === 'EACCES'))
    const clients = await world.clients(held, 10)
    await eventually(() => held.counters.handedOver === 10)
    own.tell('ports')
    const answer = await eventually(() => own.said.find((said) => Array.isArray((said as { ports?: unknown }).ports)))
    expect((answer as { ports: number[] }).ports).to.have.length(10)
    for (const { socket } of clients) socket.destroy()
  })

  it('goes to nobody of an instance that ran before', async () => {
    const held = await holdFd()
    const old = await world.ready('echo')
    const client = await world.client(held)
    client.socket.write('old')
    await eventually(() => client.text === 'old')
    const next = await world.ready('http')
    const other = await world.client(held)
    other.socket.write('GET /next HTTP/1.0\r\n\r\n')
    await eventually(() => other.ended)
    expect(other.text).to.contain('GET /next')
    // What it took before is its own.
    client.socket.write(' still')
    await eventually(() => client.text === 'old still')
    await Promise.all([old.kill(), next.kill()])
  })

  it('waits while the process may open no more files, and is served once it may', async () => {
    const held = await holdFd()
    const started = await world.ready('echo', { maxFiles: 64 })
    const first = await world.client(held)
    await eventually(() => held.counters.handedOver === 1)
    started.tell('fill')
    await eventually(() => started.said.includes('filled'))
    const more = await world.clients(held, 20)
    await eventually(() => held.counters.handedOver > 1)
    first.socket.write('first')
    await eventually(() => first.text === 'first')
    expect(held.counters.waiting).to.be.above(0)
    started.tell('free')
    await eventually(() => held.counters.handedOver === 21)
    for (const [index, { socket }] of more.entries()) socket.end(`${index}`)
    for (const [index, client] of more.entries()) expect((await client.outcome()).text).to.equal(`${index}`)
  })

  it('outlives jitsud’s socket: a process asks the next one, which counts what is open', async () => {
    const held = await holdFd()
    await world.ready('echo')
    const client = await world.client(held)
    await eventually(() => held.counters.handedOver === 1 && world.service.uses === 1)
    await held.close()
    world.takers.close()
    expect(world.service.uses).to.equal(0)
    world.restartTakers()
    const again = await holdFd()
    await eventually(() => world.service.uses === 1)
    const other = await world.client(again)
    for (const { socket } of [client, other]) socket.end('both')
    for (const each of [client, other]) expect((await each.outcome()).text).to.equal('both')
    await eventually(() => world.service.uses === 0)
  })

  it('goes to another process of the service when the first stops asking', async () => {
    const held = await holdFd()
    const started = await world.ready('echo')
    const client = await world.client(held)
    await eventually(() => held.counters.handedOver === 1)
    started.tell('close')
    await eventually(() => started.said.includes('closed'))
    const waiting = await world.client(held)
    await eventually(() => held.counters.waiting === 1)
    client.socket.end('kept')
    expect((await client.outcome()).text).to.equal('kept')
    started.tell('exit 0')
    await started.exited()
    await world.ready('server')
    waiting.socket.end('later')
    expect((await waiting.outcome()).text).to.equal('later')
  })
})
