// Messages in a stream, however the stream is cut.
import { expect } from 'chai'
import fc from 'fast-check'
import { DnsFrames, frameDns } from '../../protocol/dns.js'
import { turns } from '../support/eventually.js'

describe('DNS frames', () => {
  it('come out whole and in order, however the stream is cut', () => {
    const message = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 250, maxLength: 600 }))
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 90 })), (messages, cuts) => {
        const stream = Buffer.concat(messages.map((bytes) => frameDns(bytes)))
        const frames = new DnsFrames()
        const out: Buffer[] = []
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % Math.max(1, cuts.length)] ?? 1
          frames.push(stream.subarray(at, at + size))
          at += size
          for (let frame = frames.shift(); frame !== undefined; frame = frames.shift()) out.push(frame)
        }
        expect(out.map((frame) => [...frame])).to.deep.equal(messages.map((bytes) => [...bytes]))
      }),
      { numRuns: 2000 },
    )
  })

  it('hold a message of 65,535 bytes that comes byte by byte, and no longer one', () => {
    const frames = new DnsFrames()
    const whole = frameDns(Buffer.alloc(65_535, 7))
    for (const byte of whole.subarray(0, -1)) frames.push(Buffer.from([byte]))
    expect(frames.shift()).to.equal(undefined)
    frames.push(whole.subarray(-1))
    expect(frames.shift()).to.deep.equal(Buffer.alloc(65_535, 7))
    expect(() => frameDns(Buffer.alloc(65_536))).to.throw(RangeError)
  })

  it('that come byte by byte do not hold on to a buffer for each', async () => {
    const frames = new DnsFrames()
    const refs: WeakRef<Buffer>[] = []
    for (let i = 0; i < 1000; i++) {
      const chunk = Buffer.alloc(1, 200)
      refs.push(new WeakRef(chunk))
      frames.push(chunk)
    }
    // A WeakRef holds on until its turn of the event loop is over.
    await turns()
    globalThis.gc?.()
    expect(frames.shift()).to.equal(undefined)
    expect(refs.filter((ref) => ref.deref() !== undefined)).to.have.length.below(50)
  })
})
