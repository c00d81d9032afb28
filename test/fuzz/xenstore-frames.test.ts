// The embedded store and hostile clients, the client and hostile stores: whatever the bytes, nothing throws, honest
// connections go on, and the books balance.
import { expect } from 'chai'
import fc from 'fast-check'
import { domid } from '../../protocol/xen.js'
import { encodeXenstoreMessage, XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import { isConduitError } from '../../src/errors.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import type { XenstoreTransport } from '../../src/xenstore/transport.js'

const GUEST = domid(5)
const RUNS = 300

const text = fc.oneof(
  fc.constantFrom('', '/', '/a', '/a/b', 'data', 'data/x', 'data/x/y', '/local/domain/5', '@releaseDomain', '@x'),
  fc.constantFrom('T', 'F', '0', '1', '5', '7', '65535', '4294967295', 'n5', 'b0', 'r7', 'token', 'nodes', 'help'),
  fc.string({ maxLength: 12 }),
)
const payload = fc.oneof(
  { weight: 4, arbitrary: fc.array(text, { maxLength: 5 }).map((parts) => parts.map((part) => `${part}\0`).join('')) },
  { weight: 1, arbitrary: fc.string({ maxLength: 60 }) },
  { weight: 1, arbitrary: fc.constant('data/big\0'.padEnd(4096, 'x')) },
)
const type = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...Object.values(XENSTORE_TYPES)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffffffff }) },
)
const frame = fc
  .record({ type, transactionId: fc.constantFrom(0, 0, 0, 1, 2, 3, 0xffffffff), payload })
  .map((parts) => encodeXenstoreMessage({ ...parts, requestId: 1, payload: Buffer.from(parts.payload, 'latin1') }))
const noise = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes))
const stream = fc
  .array(fc.oneof({ weight: 12, arbitrary: frame }, { weight: 1, arbitrary: noise }), { maxLength: 60 })
  .map((parts) => Buffer.concat(parts))
const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 })

function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

const REMOVE_OWN_DATA = encodeXenstoreMessage({
  type: XENSTORE_TYPES.RM,
  requestId: 1,
  transactionId: 0,
  payload: Buffer.from('data\0'),
})

describe('xenstore frames, fuzzed', () => {
  it('the store answers any client, whatever it sends and however it is split', () => {
    for (const id of [GUEST, domid(0)]) {
      fc.assert(
        fc.property(stream, cuts, (bytes, sizes) => {
          const store = new EmbeddedStore()
          store.introduceDomain(GUEST)
          const connection = store.connect(id, { send: () => {}, close: () => {} })
          for (const piece of pieces(bytes, sizes)) connection.receive(piece)
          connection.close()
          expect(store.connections).to.equal(0)
          store.domainDied(GUEST)
          expect(store.nodesOwnedBy(GUEST)).to.equal(0)
        }),
        { numRuns: RUNS },
      )
    }
  })

  it('a guest cannot change what is not its own', async () => {
    await fc.assert(
      fc.asyncProperty(stream, cuts, async (bytes, sizes) => {
        const store = new EmbeddedStore()
        store.introduceDomain(GUEST)
        const dom0 = await XenstoreClient.open(async () => store.transport(domid(0)))
        await dom0.write('/a/b', 'mine')
        const connection = store.connect(GUEST, { send: () => {}, close: () => {} })
        for (const piece of pieces(bytes, sizes)) connection.receive(piece)
        expect(await dom0.readText('/a/b')).to.equal('mine')
        expect(await dom0.directory('/')).to.have.members(['tool', 'local', 'a'])
        // `data` is the guest's own, to remove as well.
        const left = await dom0.directory('/local/domain/5')
        expect(left.filter((name) => name !== 'data')).to.deep.equal(['domid'])
        expect(store.nodesOwnedBy(GUEST)).to.be.within(0, 1000)
        await dom0.close()
      }),
      { numRuns: RUNS, examples: [[REMOVE_OWN_DATA, [1]]] },
    )
  })

  it('the client survives any store: each request ends, with an answer or a code', async () => {
    const reply = fc
      .record({ type, requestId: fc.integer({ min: 0, max: 6 }), transactionId: fc.constantFrom(0, 1), payload })
      .map((parts) => encodeXenstoreMessage({ ...parts, payload: Buffer.from(parts.payload, 'latin1') }))
    const replies = fc.array(fc.oneof({ weight: 12, arbitrary: reply }, { weight: 1, arbitrary: noise }), {
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(replies, cuts, async (parts, sizes) => {
        const hostile = new HostileTransport()
        const client = await XenstoreClient.open(async () => hostile, { reconnect: false })
        const requests = [
          client.read('/a'),
          client.directory('/a'),
          client.getPermissions('/a'),
          client.watch('/a', () => {}),
          client.transaction(async () => 1),
          client.getFeature(),
        ]
        const settled = Promise.allSettled(requests)
        for (const piece of pieces(Buffer.concat(parts), sizes)) hostile.deliver(piece)
        await client.close()
        for (const result of await settled) {
          if (result.status === 'rejected') expect(isConduitError(result.reason), String(result.reason)).to.equal(true)
        }
      }),
      { numRuns: RUNS },
    )
  })
})

/** Swallows requests and delivers what the test makes up. */
class HostileTransport implements XenstoreTransport {
  #receiver = (_bytes: Uint8Array): void => {}
  #listener = (_error?: Error): void => {}

  deliver(bytes: Uint8Array): void {
    this.#receiver(bytes)
  }
  send(): void {}
  onData(receiver: (bytes: Uint8Array) => void): void {
    this.#receiver = receiver
  }
  onClose(listener: (error?: Error) => void): void {
    this.#listener = listener
  }
  ref(): void {}
  unref(): void {}
  close(): void {
    this.#listener()
  }
}
