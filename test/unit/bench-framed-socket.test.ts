// The peer of the messages benchmark: a comparison is fair only when it frames correctly.
import { Duplex } from 'node:stream'
import { expect } from 'chai'
import fc from 'fast-check'
import { FramedSocket } from '../../bench/framed-socket.js'

/** What is written, and a way to make bytes come. */
function wire(): { duplex: Duplex; written: () => Buffer } {
  const chunks: Buffer[] = []
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, callback) => {
      chunks.push(chunk)
      callback()
    },
  })
  return { duplex, written: () => Buffer.concat(chunks) }
}

const frame = (text: string): Buffer => {
  const header = Buffer.alloc(4)
  header.writeUInt32LE(Buffer.byteLength(text))
  return Buffer.concat([header, Buffer.from(text)])
}

const texts = fc.array(fc.string({ maxLength: 20 }), { maxLength: 20 })

describe('the framed socket of the bench', () => {
  it('writes a length and the bytes, one by one and in batches alike', () => {
    fc.assert(
      fc.property(texts, (all) => {
        const [single, many] = [wire(), wire()]
        const one = new FramedSocket(single.duplex)
        for (const text of all) one.send(Buffer.from(text))
        new FramedSocket(many.duplex).sendMany(all.map((text) => Buffer.from(text)))
        const expected = Buffer.concat(all.map(frame))
        expect(single.written()).to.deep.equal(expected)
        expect(many.written()).to.deep.equal(expected)
      }),
    )
  })

  for (const event of ['message', 'batch'] as const) {
    it(`finds every message by ${event} however the bytes are cut`, () => {
      fc.assert(
        fc.property(texts, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (all, cuts) => {
          const { duplex } = wire()
          const socket = new FramedSocket(duplex)
          const got: string[] = []
          socket.on(event, (found: Buffer | Buffer[]) => {
            for (const message of [found].flat()) got.push(message.toString())
          })
          const bytes = Buffer.concat(all.map(frame))
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const next = at + cuts[i % cuts.length]!
            duplex.emit('data', bytes.subarray(at, next))
            at = next
          }
          expect(got).to.deep.equal(all)
        }),
      )
    })
  }
})
