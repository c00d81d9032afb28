// Connections that run through jitsud: to a guest's TCP address and to whoever listens under a conduit name. One suite for both.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { expect } from 'chai'
import type { HoldConfig } from '../../protocol/jitsud-hold-config.js'
import { Conduit } from '../../src/conduit/conduit.js'
import type { HeldAddress, HeldAddressOptions } from '../../src/jitsu/hold/index.js'
import { CatProcess } from '../support/cat-process.js'
import { eventually } from '../support/eventually.js'
import { RESET } from '../support/held-client.js'
import { HoldWorld } from '../support/hold-world.js'
import { LocalConduitWorld } from '../support/local-conduit-world.js'
import { localWorld } from '../support/local-world.js'
import { ManualClock } from '../support/manual-clock.js'

interface Guest {
  readonly config: Partial<HoldConfig> & { handover: string }
  readonly options: HeldAddressOptions
  /** Drops the connection as the service's own would. */
  reset(socket: Duplex): void
  close(): Promise<void>
}

type TakeSocket = (socket: Duplex) => void

async function tcpGuest(take: TakeSocket): Promise<Guest> {
  const server = createServer({ allowHalfOpen: true }, take)
  const target = await listening(server)
  return {
    config: { handover: 'tcp', target } as Guest['config'],
    options: {},
    reset: (socket) => (socket as import('node:net').Socket).resetAndDestroy(),
    close: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

async function conduitGuest(take: TakeSocket): Promise<Guest> {
  const world = await LocalConduitWorld.start()
  const [serves, asks] = [await world.environment(), await world.environment()]
  const server = serves.createServer({ allowHalfOpen: true }, take)
  await server.listen('www:http')
  return {
    config: { handover: 'conduit', target: 'www:http' } as Guest['config'],
    options: { connect: (address, options) => asks.connect(address, options) },
    reset: (socket) => socket.destroy(),
    close: () => world.close(),
  }
}

async function listening(server: Server, port = 0): Promise<string> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as { port: number }).port}`
}

for (const [kind, start] of [
  ['a guest’s TCP address', tcpGuest],
  ['a conduit name', conduitGuest],
] as const) {
  describe(`a connection relayed to ${kind}`, () => {
    let world: HoldWorld
    let guest: Guest
    let sockets: Duplex[]

    beforeEach(async () => {
      sockets = []
      guest = await start((socket) => {
        socket.on('error', () => undefined)
        sockets.push(socket)
      })
      world = new HoldWorld()
    })
    afterEach(async () => {
      await world.close()
      for (const socket of sockets) socket.destroy()
      await guest.close()
    })

    const hold = (more: object = {}): Promise<HeldAddress> => world.hold({ ...guest.config, ...more }, guest.options)

    it('brings what the client sent before, then the rest, and counts it', async () => {
      const held = await hold()
      const client = await world.client(held)
      client.socket.write('early ')
      await eventually(() => held.counters.keptBytes === 6)
      world.service.becomesReady()
      const service = await eventually(() => sockets[0])
      client.socket.end('and late')
      let text = ''
      service.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      await once(service, 'end')
      expect(text).to.equal('early and late')
      expect(world.service.uses).to.equal(1)
      service.end('answer')
      expect(await client.outcome()).to.deep.equal({ text: 'answer', ended: true, error: undefined })
      await eventually(() => world.service.uses === 0)
      expect(world.service).to.include({ bytes: 14 + 6, firstBytes: 1 })
      expect(held.counters).to.include({ handedOver: 1, relayed: 0, keptBytes: 0 })
    })

    it('keeps half-close when the service ends first', async () => {
      const held = await hold()
      world.service.becomesReady()
      const client = await world.client(held)
      const service = await eventually(() => sockets[0])
      service.end('all that I say')
      await eventually(() => client.ended)
      expect(client.text).to.equal('all that I say')
      let text = ''
      service.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      client.socket.end('I go on')
      await once(service, 'end')
      expect(text).to.equal('I go on')
    })

    it('carries a reset of the client to the service', async () => {
      const held = await hold()
      world.service.becomesReady()
      const client = await world.client(held)
      const service = await eventually(() => sockets[0])
      const failed = once(service, 'error').catch((error: unknown) => [error])
      service.resume()
      client.socket.resetAndDestroy()
      const [error] = await failed
      expect(error).to.have.property('code', 'ECONNRESET')
      await eventually(() => world.service.uses === 0)
    })

    it('carries a reset of the service to the client, in the middle of an answer', async () => {
      const held = await hold()
      world.service.becomesReady()
      const client = await world.client(held)
      const service = await eventually(() => sockets[0])
      service.write('half')
      await eventually(() => client.text === 'half')
      guest.reset(service)
      expect(await client.outcome()).to.deep.equal({ text: 'half', ended: false, error: 'ECONNRESET' })
    })

    it('moves megabytes both ways at once, whole, with a reader that is slow', async () => {
      const held = await hold({ maxBytes: 1000 })
      const client = await world.client(held)
      const block = Buffer.alloc(3 * 1024 * 1024)
      for (let at = 0; at < block.length; at++) block[at] = (at * 7) % 251
      client.socket.setEncoding('latin1')
      client.socket.end(block)
      await eventually(() => held.counters.keptBytes === 1000)
      world.service.becomesReady()
      const service = await eventually(() => sockets[0])
      const hash = createHash('sha256')
      service.end(block)
      for await (const chunk of service) {
        hash.update(chunk as Buffer)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(hash.digest('hex')).to.equal(createHash('sha256').update(block).digest('hex'))
      expect((await client.outcome()).text === block.toString('latin1')).to.equal(true)
      expect(world.service.bytes).to.equal(2 * block.length)
    })
  })
}

describe('a connection relayed to a process that is killed in the middle of an answer', () => {
  it('is reset', async () => {
    const local = localWorld()
    const asks = await Conduit.open({ substrate: await local.attach() })
    const world = new HoldWorld()
    const cat = new CatProcess(local.directory, ['-l', 'www'])
    const connect = (address: string, options: object) => asks.connect(address, { ...options, wait: true })
    const held = await world.hold({ handover: 'conduit' }, { connect })
    world.service.becomesReady()
    const client = await world.client(held)
    cat.child.stdin!.write('half of it')
    await eventually(() => client.text === 'half of it')
    cat.child.kill('SIGKILL')
    expect(await client.outcome()).to.deep.equal({ text: 'half of it', ended: false, error: 'ECONNRESET' })
    await cat.ended
    await world.close()
    await asks.close()
    await local.close()
  })
})

describe('a guest that does not accept yet', () => {
  let world: HoldWorld
  let server: Server
  let target: string

  beforeEach(async () => {
    server = createServer((socket) => socket.end('at last'))
    target = await listening(server)
    server.close()
    await once(server, 'close')
    world = new HoldWorld()
  })
  afterEach(async () => {
    await world.close()
  })

  it('is tried until it does', async () => {
    const held = await world.hold({ handover: 'tcp', target } as never)
    world.service.becomesReady()
    const client = await world.client(held)
    await eventually(() => held.counters.waiting === 1)
    const later = createServer((socket) => socket.end('at last'))
    await listening(later, Number(target.split(':')[1]))
    client.socket.end()
    expect((await client.outcome()).text).to.equal('at last')
    later.close()
    await once(later, 'close')
  })

  it('is not tried for ever: its clients are reset, and the log says where nobody listened', async () => {
    const clock = new ManualClock()
    const held = await world.hold({ handover: 'tcp', target } as never, { clock, handoverLimitMs: 7000 })
    world.service.becomesReady()
    const client = await world.client(held)
    await eventually(() => clock.waiting > 0)
    clock.advance(7000)
    expect(await client.outcome()).to.deep.equal(RESET)
    expect(held.counters).to.include({ notTaken: 1, waiting: 0 })
    await eventually(() => world.log.length > 0)
    expect(world.log[0]!.reason).to.contain(target)
  })

  it('costs a client that gives up nothing more', async () => {
    const clock = new ManualClock()
    const held = await world.hold({ handover: 'tcp', target } as never, { clock })
    world.service.becomesReady()
    const client = await world.client(held)
    await eventually(() => held.counters.waiting === 1 && world.service.uses === 1)
    client.socket.resetAndDestroy()
    await eventually(() => held.counters.gone === 1 && world.service.uses === 0)
  })
})
