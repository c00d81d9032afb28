// The ring against a queue of bytes, at every size and near the wrap of its indices.
import { expect } from 'chai'
import fc from 'fast-check'
import { LIVE } from '../../protocol/vchan-page.js'
import { ControlPage } from '../../src/vchan/control-page.js'
import { RingMemory } from '../../src/vchan/ring-memory.js'
import { RingReader } from '../../src/vchan/ring-reader.js'
import { RingWriter } from '../../src/vchan/ring-writer.js'
import { SharedWords } from '../../src/vchan/shared-words.js'

type Step = { readonly write: number } | { readonly read: number }

/** Two ends of the left ring on one page. */
function ring(sizeBytes: number, sliceBytes: number, startIndex: number) {
  const buffer = new ArrayBuffer(4096 + sizeBytes)
  const view = new DataView(buffer)
  for (const at of [0, 4]) view.setUint32(at, startIndex, true)
  view.setUint8(20, LIVE.CONNECTED)
  const kicks = { server: 0, client: 0, onServer: () => {} }
  const words = new SharedWords(buffer, 4096)
  const memory = new RingMemory(buffer, 4096, sizeBytes)
  const server = new ControlPage(words, 'server', { notify: () => kicks.client++ }, 24)
  const kickServer = (): void => {
    kicks.server++
    kicks.onServer()
  }
  const client = new ControlPage(words, 'client', { notify: kickServer }, 24)
  const layout = { sizeBytes, sliceBytes, peer: 1 }
  return {
    kicks,
    server,
    client,
    reader: new RingReader(server, memory, layout),
    writer: new RingWriter(client, memory, layout),
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(fc.record({ write: fc.nat(300) }), fc.record({ read: fc.nat(300) }))

describe('vchan ring', () => {
  it('I3: any sequence of writes and reads is that of a bounded byte queue', () => {
    const start = fc.constantFrom(0, 0xffff_ff80, 0x7fff_ff80)
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 8 }),
        start,
        fc.array(step, { maxLength: 60 }),
        (order, startIndex, steps) => {
          const sizeBytes = 2 ** order
          const { reader, writer } = ring(sizeBytes, Math.max(1, sizeBytes >> 2), startIndex)
          const queue: number[] = []
          let next = 0
          for (const action of steps) {
            if ('write' in action) {
              const bytes = Uint8Array.from({ length: action.write }, () => next++ & 0xff)
              const written = writer.write(bytes, 0, bytes.length)
              expect(written).to.equal(Math.min(bytes.length, sizeBytes - queue.length))
              queue.push(...bytes.subarray(0, written))
            } else {
              const target = new Uint8Array(action.read + 2)
              const count = reader.read(target, 1, 1 + action.read)
              const expected = queue.splice(0, action.read)
              expect([...target]).to.deep.equal([
                0,
                ...expected,
                ...new Array(action.read + 1 - expected.length).fill(0),
              ])
              expect(count).to.equal(expected.length)
            }
            expect(reader.look()).to.equal(queue.length)
            expect(writer.look()).to.equal(sizeBytes - queue.length)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('I5: kicks only a peer that asked, once, and only for what it asked', () => {
    const { reader, writer, server, client, kicks } = ring(64, 16, 0)
    writer.write(new Uint8Array(1), 0, 1)
    client.payOwed()
    expect(kicks.server).to.equal(0)
    server.request(1)
    writer.write(new Uint8Array(1), 0, 1)
    client.payOwed()
    client.payOwed()
    expect(kicks.server).to.equal(1)
    client.request(1)
    reader.read(new Uint8Array(1), 0, 1)
    server.payOwed()
    expect(kicks.client, 'asked for writes, not for reads').to.equal(0)
    client.request(2)
    reader.read(new Uint8Array(1), 0, 1)
    server.payOwed()
    expect(kicks.client).to.equal(1)
  })

  it('tells a sleeping peer in the middle of a large transfer, so that both overlap', () => {
    const { writer, server, kicks } = ring(64, 16, 0)
    server.request(1)
    writer.write(new Uint8Array(64), 0, 64)
    expect(kicks.server, 'before the tick has ended').to.equal(1)
  })

  it('wakes a reader that never spins twice a ringful of a large write, not for each slice', () => {
    const { reader, writer, server, kicks } = ring(64, 16, 0)
    kicks.onServer = () => {
      reader.read(new Uint8Array(64), 0, 64)
      server.request(1)
    }
    server.request(1)
    for (let ringful = 0; ringful < 10; ringful++) writer.write(new Uint8Array(64), 0, 64)
    expect(kicks.server).to.equal(20)
  })
})
