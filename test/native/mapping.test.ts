// The addon's Mapping: bytes shared between mappings, and what JavaScript sees once one is closed.
import { expect } from 'chai'
import { type NativeMapping, native } from '../../src/native.js'

const PAGE = 4096

function mapOf(segments: number[], writable = true): NativeMapping {
  return new (native().Mapping)(Float64Array.from(segments), writable)
}

describe('addon: Mapping', () => {
  let fd: number
  beforeEach(() => {
    fd = native().memfdCreate('conduit-test', 4 * PAGE)
  })
  afterEach(() => native().closeFd(fd))

  it('shows two mappings of one file the same bytes, zeroed at first', () => {
    const [one, two] = [mapOf([fd, 0, 4 * PAGE]), mapOf([fd, 0, 4 * PAGE])]
    expect(new Uint8Array(one.buffer).every((byte) => byte === 0)).to.equal(true)
    new Uint8Array(one.buffer)[PAGE + 5] = 42
    expect(new Uint8Array(two.buffer)[PAGE + 5]).to.equal(42)
    one.close()
    two.close()
  })

  it('joins segments of files in the order given', () => {
    const whole = mapOf([fd, 0, 4 * PAGE])
    const swapped = mapOf([fd, 2 * PAGE, PAGE, fd, 0, PAGE])
    const bytes = new Uint8Array(whole.buffer)
    bytes[2 * PAGE] = 3
    bytes[0] = 1
    expect(swapped.buffer.byteLength).to.equal(2 * PAGE)
    expect([new Uint8Array(swapped.buffer)[0], new Uint8Array(swapped.buffer)[PAGE]]).to.deep.equal([3, 1])
    whole.close()
    swapped.close()
  })

  it('outlives the descriptor it was made from', () => {
    const other = native().memfdCreate('conduit-test', PAGE)
    const mapping = mapOf([other, 0, PAGE])
    native().closeFd(other)
    new Uint8Array(mapping.buffer)[7] = 1
    expect(new Uint8Array(mapping.buffer)[7]).to.equal(1)
    mapping.close()
  })

  it('detaches the buffer at close: views have length 0, atomics throw, closing again does nothing', () => {
    const mapping = mapOf([fd, 0, PAGE])
    const bytes = new Uint8Array(mapping.buffer)
    const words = new Int32Array(mapping.buffer)
    mapping.close()
    mapping.close()
    expect(bytes.length).to.equal(0)
    expect(bytes[0]).to.equal(undefined)
    expect(() => Atomics.load(words, 0)).to.throw()
    expect(mapping.buffer.byteLength).to.equal(0)
  })

  it('renew detaches what a caller kept and goes on over the same pages', () => {
    const mapping = mapOf([fd, 0, PAGE])
    const kept = new Uint8Array(mapping.buffer)
    kept[9] = 9
    mapping.renew()
    expect(kept.length).to.equal(0)
    expect(new Uint8Array(mapping.buffer)[9]).to.equal(9)
    mapping.close()
    expect(() => mapping.renew())
      .to.throw()
      .with.property('code', 'EBADF')
  })

  it('keeps the pages while a view lives, even when the mapping itself was collected', () => {
    const view = (() => new Uint8Array(mapOf([fd, 0, PAGE]).buffer))()
    for (let round = 0; round < 5; round++) globalThis.gc?.()
    view[0] = 1
    expect(view[0]).to.equal(1)
  })

  it('refuses a descriptor that is none with the errno', () => {
    expect(() => mapOf([9999, 0, PAGE]))
      .to.throw()
      .with.property('code', 'EBADF')
  })

  it('refuses arguments of the wrong shape', () => {
    expect(() => new (native().Mapping)(Float64Array.of(1, 2), true)).to.throw(TypeError)
    expect(() => new (native().Mapping)(new Uint8Array(3) as unknown as Float64Array, true)).to.throw(TypeError)
  })
})

describe('addon: memfd', () => {
  it('is sealed: its size is known and cannot shrink', () => {
    const fd = native().memfdCreate('conduit-test', 2 * PAGE)
    expect(native().sealedBytes(fd)).to.equal(2 * PAGE)
    native().closeFd(fd)
  })

  it('a file without seals is refused', () => {
    const [fd, other] = native().socketPair(true)
    expect(() => native().sealedBytes(fd))
      .to.throw()
      .with.property('code', 'EINVAL')
    native().closeFd(fd)
    native().closeFd(other)
  })
})
