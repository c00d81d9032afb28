// The first client of a held address, and the channel that the service has from before it runs.
import { type Duplex, duplexPair } from 'node:stream'
import { expect } from 'chai'
import { untilAborted } from '../../src/conduit/deadline.js'
import { ConduitError } from '../../src/errors.js'
import type { HeldAddress } from '../../src/jitsu/hold/index.js'
import { eventually, turns } from '../support/eventually.js'
import { RESET } from '../support/held-client.js'
import { HoldWorld } from '../support/hold-world.js'

const CHANNEL = 'vchan://12/http'

/** One connection to the service that was asked for and not opened. */
interface Dial {
  readonly address: string
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal
  /** It echoes in capitals. */
  open(): void
  fail(error: Error): void
}

describe('a channel from before the service runs', () => {
  let world: HoldWorld
  let dials: Dial[]
  let ends: Duplex[]

  beforeEach(() => {
    world = new HoldWorld()
    dials = []
    ends = []
  })
  afterEach(async () => {
    for (const { fail } of dials) fail(new Error('the end'))
    await world.close()
    for (const end of ends) end.destroy()
  })

  const hold = (config: object = {}): Promise<HeldAddress> =>
    world.hold(
      { handover: 'conduit', ...config },
      {
        connect: (address, { signal, timeoutMs }) =>
          untilAborted(
            new Promise<Duplex>((resolve, reject) => {
              const open = (): void => {
                const [ours, theirs] = duplexPair()
                ends.push(ours, theirs)
                theirs.on('data', (bytes: Buffer) => theirs.write(bytes.toString().toUpperCase()))
                theirs.on('end', () => theirs.end())
                resolve(ours)
              }
              dials.push({ address, timeoutMs, signal, open, fail: reject })
            }),
            signal,
          ),
      },
    )
  const addresses = () => dials.map(({ address }) => address)
  const waiting = (held: HeldAddress, count: number) => eventually(() => held.counters.waiting === count)

  it('goes to the first who waits, before the service is ready; the others go by name when it is', async () => {
    const held = await hold()
    const [first, second] = await world.clients(held, 2)
    first!.socket.write('early ')
    await waiting(held, 2)
    await eventually(() => held.counters.keptBytes === 6)
    world.service.offers(CHANNEL)
    await eventually(() => dials.length === 1)
    // The boot has a limit, and ends the domain; this has none.
    expect(dials[0]).to.include({ address: CHANNEL, timeoutMs: 0 })
    dials[0]!.open()
    await eventually(() => first!.text === 'EARLY ')
    first!.socket.end('and late')
    expect(await first!.outcome()).to.deep.equal({ text: 'EARLY AND LATE', ended: true, error: undefined })
    expect([world.service.state, world.service.firstBytes, held.counters.handedOver]).to.deep.equal(['starting', 1, 1])
    expect(addresses()).to.deep.equal([CHANNEL])
    world.service.becomesReady()
    await eventually(() => dials.length === 2)
    expect(addresses()).to.deep.equal([CHANNEL, 'www'])
    dials[1]!.open()
    second!.socket.end('hello')
    expect((await second!.outcome()).text).to.equal('HELLO')
  })

  it('goes to the first who comes after the launch, also once the service is ready', async () => {
    const held = await hold()
    world.service.offers(CHANNEL)
    world.service.becomesReady()
    const first = await world.client(held)
    await eventually(() => dials.length === 1)
    dials[0]!.open()
    await world.client(held)
    await eventually(() => dials.length === 2)
    expect(addresses()).to.deep.equal([CHANNEL, 'www'])
    first.socket.end('hello')
    expect((await first.outcome()).text).to.equal('HELLO')
  })

  it('that fails leaves its client waiting as everybody does, and nobody else tries it', async () => {
    const held = await hold()
    const [first] = await world.clients(held, 2)
    await waiting(held, 2)
    world.service.offers(CHANNEL)
    await eventually(() => dials.length === 1)
    dials[0]!.fail(new ConduitError('ECONNREFUSED', 'another one was first'))
    await turns()
    expect([addresses(), held.counters.waiting]).to.deep.equal([[CHANNEL], 2])
    world.service.becomesReady()
    await eventually(() => dials.length === 3)
    expect(addresses()).to.deep.equal([CHANNEL, 'www', 'www'])
    dials[1]!.open()
    first!.socket.end('hello')
    expect((await first!.outcome()).text).to.equal('HELLO')
  })

  it('that fails when the service is ready already has its client go by name at once', async () => {
    const held = await hold()
    const first = await world.client(held)
    await waiting(held, 1)
    world.service.offers(CHANNEL)
    await eventually(() => dials.length === 1)
    world.service.becomesReady()
    await turns()
    expect(addresses()).to.deep.equal([CHANNEL])
    dials[0]!.fail(new ConduitError('ECONNRESET', 'gone'))
    await eventually(() => dials.length === 2)
    dials[1]!.open()
    first.socket.end('hello')
    expect((await first.outcome()).text).to.equal('HELLO')
  })

  it('is given up with the client, and with the boot', async () => {
    const held = await hold()
    const first = await world.client(held)
    await waiting(held, 1)
    world.service.offers(CHANNEL)
    await eventually(() => dials.length === 1)
    first.socket.resetAndDestroy()
    await eventually(() => dials[0]!.signal.aborted)
    await waiting(held, 0)
    const second = await world.client(held)
    await waiting(held, 1)
    world.service.offers(CHANNEL)
    await eventually(() => dials.length === 2)
    world.service.fails(new ConduitError('BOOT_FAILED', 'it crashed'))
    expect(await second.outcome()).to.deep.equal(RESET)
    // It comes too late, for nobody.
    dials[1]!.open()
    await eventually(() => ends[0]?.destroyed)
    expect(held.counters).to.include({ handedOver: 0, gone: 1, failed: 1 })
  })

  it('is left to others where the address is handed over to a target of its own', async () => {
    const held = await hold({ target: 'www:admin' })
    await world.client(held)
    await waiting(held, 1)
    world.service.offers(CHANNEL)
    await turns()
    world.service.becomesReady()
    await eventually(() => dials.length === 1)
    expect(addresses()).to.deep.equal(['www:admin'])
    expect(world.service.takeChannel()).to.equal(CHANNEL)
  })
})
