// A peer that writes anything anywhere into the page: a typed error or nothing, never a crash or a hang.
import { expect } from 'chai'
import fc from 'fast-check'
import { endMarksOffset, OFFSET } from '../../protocol/vchan-page.js'
import { ConduitError, ERROR_CODES } from '../../src/errors.js'
import { VchanChannel } from '../../src/vchan/channel.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { kick, pageOf, pokeU32 } from '../support/hostile-peer.js'
import { CLIENT, SERVER, vchanPair } from '../support/vchan-pair.js'

const RING = 4096
const SIZES = { leftBytes: RING, rightBytes: RING }
/** Everything that means something: fields, grants of two one-page rings, end marks. */
const FIELDS = endMarksOffset({ left: 12, right: 12 }) + 8

/** Run `body`; a ConduitError is a fine answer, anything else is not. */
function tolerated(body: () => unknown): ConduitError | undefined {
  try {
    body()
    return undefined
  } catch (error) {
    if (!(error instanceof ConduitError)) throw error
    expect(ERROR_CODES).to.have.property(error.code)
    return error
  }
}

/** Use a channel in every way while its peer does `scribble` between the calls. */
function exercise(channel: VchanChannel, scribble: () => void): void {
  const target = new Uint8Array(2 * RING)
  const calls = [
    () => channel.read(target),
    () => channel.write(target.subarray(0, 3000)),
    () => channel.dataReady,
    () => channel.bufferSpace,
    () => channel.send(target.subarray(0, 10)),
    () => channel.receive(target.subarray(0, 10)),
    () => channel.inspect(),
    () => channel.flush(),
    () => channel.end(),
    () => channel.read(target),
  ]
  for (const call of calls) {
    scribble()
    tolerated(call)
  }
}

describe('vchan against a hostile peer', () => {
  for (const role of ['server', 'client'] as const) {
    it(`I4, I7: any byte of the page, set to any value at any time, gives the ${role} a code or is ignored`, async function () {
      this.timeout(60_000)
      for (let offset = 0; offset < FIELDS; offset++) {
        for (let value = 0; value < 256; value++) {
          const pair = await vchanPair({ ...SIZES, manual: true })
          const victim = pair[role]
          const page = pageOf(victim)
          const peer = role === 'server' ? pair.client : pair.server
          exercise(victim, () => {
            if (victim.state !== 'closed') page[offset] = value
          })
          kick(peer)
          while (pair.hypervisor.step());
          const { error } = victim
          if (error !== undefined) expect(error.code, `byte ${offset} = ${value}`).to.equal('VCHAN_CORRUPT')
          await pair.close()
        }
      }
    })
  }

  const indices = [
    { role: 'server', name: 'prod', offset: OFFSET.LEFT_PROD, sign: 1 },
    { role: 'server', name: 'cons', offset: OFFSET.RIGHT_CONS, sign: -1 },
    { role: 'client', name: 'prod', offset: OFFSET.RIGHT_PROD, sign: 1 },
    { role: 'client', name: 'cons', offset: OFFSET.LEFT_CONS, sign: -1 },
  ] as const
  for (const { role, name, offset, sign } of indices) {
    it(`I4: a ${name} that cannot be closes the ${role} with VCHAN_CORRUPT; one that can is taken`, async () => {
      const impossible = [RING + 1, 2 * RING, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_f000]
      for (const startIndex of [0, 0xffff_fff0]) {
        for (const distance of [...impossible, 0, 1, RING - 1, RING]) {
          const pair = await vchanPair({ ...SIZES, testing: { startIndex } })
          const victim = pair[role]
          // What the peer says is counted from an index of 0 bytes moved, forwards for prod, backwards for cons.
          pokeU32(victim, offset, (startIndex + sign * distance) >>> 0)
          const error = tolerated(() => (name === 'prod' ? victim.dataReady : victim.bufferSpace))
          const label = `${distance} from ${startIndex}`
          if (impossible.includes(distance)) {
            expect(error, label).to.have.property('code', 'VCHAN_CORRUPT')
            expect(error, label).to.have.property('domid', victim.peer)
            expect(victim.state).to.equal('closed')
            expect(() => victim.read(new Uint8Array(1)))
              .to.throw()
              .with.property('code', 'VCHAN_CORRUPT')
          } else {
            expect(error, label).to.equal(undefined)
          }
          await pair.close()
        }
      }
    })
  }

  it('I4: an owner that sleeps is woken to learn of an impossible index', async () => {
    const pair = await vchanPair(SIZES)
    const { server, client, hypervisor } = pair
    let failed: string | undefined
    server.onWake(() => {
      const error = server.error ?? tolerated(() => server.read(new Uint8Array(10)))
      failed ??= error?.code
    })
    server.read(new Uint8Array(10))
    pokeU32(client, OFFSET.LEFT_PROD, RING + 1)
    kick(client)
    await hypervisor.settle()
    expect(failed).to.equal('VCHAN_CORRUPT')
    expect(client.read(new Uint8Array(1))).to.equal(0)
    expect(client.inbound, 'the failed end has hung up').to.equal('reset')
    await pair.close()
  })

  it('I1: my own indices and the orders may be rewritten: they are never read again', async () => {
    const pair = await vchanPair(SIZES)
    const { server, client } = pair
    const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i & 0xff)
    const target = new Uint8Array(3000)
    for (let round = 0; round < 5; round++) {
      pokeU32(server, OFFSET.LEFT_CONS, 0)
      pokeU32(server, OFFSET.RIGHT_PROD, 0x1234_5678)
      pageOf(server)[OFFSET.LEFT_ORDER] = 20
      pageOf(server)[OFFSET.RIGHT_ORDER] = 0
      expect(server.write(bytes)).to.equal(3000)
      expect(client.read(target)).to.equal(3000)
      expect(target).to.deep.equal(bytes)
    }
    await pair.close()
  })

  it('I8: an end state that falls or is none is VCHAN_CORRUPT', async () => {
    for (const state of [0, 3, 255]) {
      const pair = await vchanPair(SIZES)
      const at = endMarksOffset({ left: 12, right: 12 })
      pageOf(pair.server)[at + 4] = state
      const error = tolerated(() => pair.server.read(new Uint8Array(1)))
      expect(error, `state ${state}`).to.have.property('code', 'VCHAN_CORRUPT')
      await pair.close()
    }
  })

  it('I8: an end is latched: what the byte says later changes nothing', async () => {
    const pair = await vchanPair(SIZES)
    const { server, client, hypervisor } = pair
    client.end()
    expect(server.read(new Uint8Array(1))).to.equal(0)
    expect(server.inbound).to.equal('ended')
    pageOf(server)[endMarksOffset({ left: 12, right: 12 }) + 4] = 77
    kick(client)
    await hypervisor.settle()
    expect(server.state).to.equal('open')
    await pair.close()
  })

  it('I9: a client answers any control page with a channel or a code, and leaves nothing mapped', async function () {
    this.timeout(60_000)
    const scribble = fc.array(fc.tuple(fc.integer({ min: 0, max: FIELDS - 1 }), fc.nat(255)), {
      minLength: 1,
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(scribble, async (pokes) => {
        const pair = await vchanPair(SIZES)
        const server = await VchanChannel.serve(pair.serverDomain, CLIENT, SIZES)
        for (const [offset, value] of pokes) pageOf(server)[offset] = value
        const connecting = VchanChannel.connect(pair.clientDomain, SERVER, server.ringRef, server.port)
        const outcome = await connecting.catch((error: unknown) => error)
        if (outcome instanceof VchanChannel) await outcome.close()
        else expect(outcome).to.be.instanceOf(ConduitError)
        await server.close()
        await pair.close()
      }),
      { numRuns: 300 },
    )
  })

  const layouts: [string, (page: DataView) => void, string][] = [
    ['orders of 0, worth another try,', (page) => page.setUint32(OFFSET.LEFT_ORDER, 0), 'VCHAN_LAYOUT'],
    ['the overlapping (10, 20)', (page) => page.setUint32(OFFSET.LEFT_ORDER, 0x0014_000a, true), 'VCHAN_LAYOUT'],
    ['a reserved grant', (page) => page.setUint32(OFFSET.GRANTS, 7, true), 'VCHAN_LAYOUT'],
    [
      'a grant twice',
      (page) => page.setUint32(OFFSET.GRANTS, page.getUint32(OFFSET.GRANTS + 4, true), true),
      'VCHAN_LAYOUT',
    ],
    ['a grant that was never made', (page) => page.setUint32(OFFSET.GRANTS, 0xffff_0000, true), 'GRANT_INVALID'],
    ['a server that has gone', (page) => page.setUint8(OFFSET.SRV_LIVE, 0), 'VCHAN_CLOSED'],
    ['a server that never was', (page) => page.setUint8(OFFSET.SRV_LIVE, 2), 'VCHAN_CLOSED'],
    [
      'an end state that is none',
      (page) => page.setUint8(endMarksOffset({ left: 12, right: 12 }) + 5, 3),
      'VCHAN_CORRUPT',
    ],
    ['indices that cannot be', (page) => page.setUint32(OFFSET.RIGHT_PROD, 5000, true), 'VCHAN_CORRUPT'],
  ]
  for (const [name, spoil, code] of layouts) {
    it(`I9: the client refuses ${name} with ${code}`, async () => {
      const pair = await vchanPair(SIZES)
      const server = await VchanChannel.serve(pair.serverDomain, CLIENT, SIZES)
      const { buffer } = pageOf(server)
      spoil(new DataView(buffer))
      const error = await rejectionOf(VchanChannel.connect(pair.clientDomain, SERVER, server.ringRef, server.port))
      expect(error).to.have.property('code', code)
      expect((error as ConduitError).errno === 'EAGAIN').to.equal(name.includes('another try'))
      await server.close()
      await pair.close()
    })
  }

  it('a magic or version it does not know makes the server a peer without end marks', async () => {
    for (const [at, value] of [
      [0, 0],
      [2, 9],
    ] as const) {
      const pair = await vchanPair(SIZES)
      const server = await VchanChannel.serve(pair.serverDomain, CLIENT, SIZES)
      pageOf(server)[endMarksOffset({ left: 12, right: 12 }) + at] = value
      const client = await VchanChannel.connect(pair.clientDomain, SERVER, server.ringRef, server.port)
      await server.connected()
      expect([client.halfCloseSupported, server.halfCloseSupported]).to.deep.equal([false, false])
      await Promise.all([client.close(), server.close()])
      await pair.close()
    }
  })
})
