// The addon's Mapping: bytes shared between mappings, and what JavaScript sees once one is closed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { markAsUntransferable } from 'node:worker_threads'
import { expect } from 'chai'
import { type NativeMapping, native } from '../../src/native.js'
import { eventually } from '../support/eventually.js'
import { pythonMemfd } from '../support/python-peer.js'

const PAGE = 4096
/** No V8 of Node 20 has `ArrayBuffer.prototype.transfer` without it; later ones do not know the flag any more. */
const TRANSFER_FLAG = 'transfer' in ArrayBuffer.prototype ? [] : ['--harmony-rab-gsab-transfer']

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

  it('keeps the pages while a view lives, even when the mapping itself was collected, and no longer', async () => {
    const mapped = (): boolean => readFileSync('/proc/self/maps', 'utf8').includes('/memfd:conduit-test')
    let view: Uint8Array | undefined = (() => new Uint8Array(mapOf([fd, 0, PAGE]).buffer))()
    for (let round = 0; round < 5; round++) globalThis.gc?.()
    view[0] = 1
    expect(view[0]).to.equal(1)
    expect(mapped()).to.equal(true)
    view = undefined
    await eventually(() => {
      globalThis.gc?.()
      return !mapped()
    })
  })

  it('unmaps what was closed or forgotten and nothing else, however they mix with collections', async () => {
    const mapped = (): number => readFileSync('/proc/self/maps', 'utf8').split('memfd:conduit-gc').length - 1
    const file = native().memfdCreate('conduit-gc', PAGE)
    const kept: { mapping: NativeMapping; view: Uint8Array }[] = []
    const make = (round: number): void => {
      const mapping = mapOf([file, 0, PAGE])
      const view = new Uint8Array(mapping.buffer)
      if (round % 5 === 0) mapping.renew()
      if (round % 3 === 0) mapping.close()
      if (round % 7 === 0) kept.push({ mapping, view })
    }
    for (let round = 1; round <= 300; round++) {
      make(round)
      if (round % 25 === 0) globalThis.gc!()
    }
    const live = kept.filter(({ mapping }) => mapping.buffer.byteLength > 0)
    while (mapped() > live.length) {
      // Finalizers run in a turn of the loop after the collection.
      globalThis.gc!()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(mapped()).to.equal(live.length)
    for (const { mapping, view } of kept) {
      mapping.close()
      expect([view.length, view[0]]).to.deep.equal([0, undefined])
    }
    expect(mapped()).to.equal(0)
    native().closeFd(file)
  })

  it('refuses a descriptor that is none with the errno', () => {
    expect(() => mapOf([9999, 0, PAGE]))
      .to.throw()
      .with.property('code', 'EBADF')
  })

  it('refuses arguments of the wrong shape', () => {
    expect(() => new (native().Mapping)(Float64Array.of(1, 2), true)).to.throw(TypeError)
    expect(() => new (native().Mapping)(new Uint8Array(3) as unknown as Float64Array, true)).to.throw(TypeError)
    const getter = Object.getOwnPropertyDescriptor(native().Mapping.prototype, 'buffer')!.get!
    const event = native().eventfdCreate()
    const watcher = new (native().FdWatcher)(event, true, () => 0)
    expect(() => getter.call(watcher)).to.throw(TypeError)
    watcher.close()
    native().closeFd(event)
  })

  it('refuses numbers that no segment can have, rather than cutting them', () => {
    for (const segment of [
      [Number.NaN, 0, PAGE],
      [fd + 2 ** 32, 0, PAGE],
      [fd, -PAGE, PAGE],
      [fd, 0.5, PAGE],
      [fd, 0, 0],
      [fd, 0, Number.POSITIVE_INFINITY],
      // Their sum is 2^64 + one page.
      [fd, 0, 4 * PAGE, fd, 0, 2 ** 63, fd, 0, 2 ** 63 - 3 * PAGE],
    ]) {
      expect(() => mapOf(segment), String(segment)).to.throw(RangeError)
    }
  })

  it('refuses more than 1 GiB: node frees a buffer over its own limit behind our back', () => {
    const vast = native().memfdCreate('conduit-test', 2 ** 33)
    expect(() => mapOf([vast, 0, 2 ** 33])).to.throw(RangeError)
    native().closeFd(vast)
  })

  it('refuses a range beyond the end of its file, which would be SIGBUS', () => {
    for (const segment of [
      [fd, 0, 5 * PAGE],
      [fd, 4 * PAGE, PAGE],
      [fd, 0, PAGE, fd, 2 ** 40, PAGE],
    ]) {
      expect(() => mapOf(segment), String(segment))
        .to.throw()
        .with.property('code', 'ENXIO')
    }
  })

  it('refuses a TCP socket, which can be mapped and has no page to show', () => {
    const socket = native().tcpListen('127.0.0.1', 0, 1)
    expect(() => mapOf([socket, 0, PAGE]))
      .to.throw()
      .with.property('code', 'ENODEV')
    native().closeFd(socket)
  })

  it('refuses a file that could shrink under it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'conduit-'))
    const path = join(folder, 'file')
    writeFileSync(path, Buffer.alloc(PAGE))
    const file = openSync(path, 'r+')
    expect(() => mapOf([file, 0, PAGE]))
      .to.throw()
      .with.property('code', 'EINVAL')
    closeSync(file)
    rmSync(folder, { recursive: true })
  })

  it('cannot be taken away by a transfer to a worker', () => {
    const mapping = mapOf([fd, 0, PAGE])
    const { buffer } = mapping
    markAsUntransferable(buffer)
    // Node 20 copies it then, later ones refuse.
    try {
      structuredClone(buffer, { transfer: [buffer] })
    } catch (error) {
      expect(error).to.have.property('name', 'DataCloneError')
    }
    expect(mapping.buffer.byteLength).to.equal(PAGE)
    mapping.close()
  })

  it('keeps the pages of a buffer that lives on under another name after close', async () => {
    const child = fileURLToPath(new URL('./children/transferred-buffer.js', import.meta.url))
    const running = spawn(process.execPath, [...TRANSFER_FLAG, '--expose-gc', child], { stdio: 'inherit' })
    expect(await once(running, 'close')).to.deep.equal([0, null])
  })
})

describe('addon: memfd', () => {
  it('is sealed: its size is known and cannot shrink', () => {
    const fd = native().memfdCreate('conduit-test', 2 * PAGE)
    expect(native().sealedBytes(fd)).to.equal(2 * PAGE)
    native().closeFd(fd)
  })

  it('refuses sizes and names that cannot be, rather than cutting them', () => {
    for (const bytes of [Number.NaN, -1, 0.5, 2 ** 63]) {
      expect(() => native().memfdCreate('conduit-test', bytes), String(bytes)).to.throw(RangeError)
    }
    expect(() => native().memfdCreate('conduit\0test', PAGE)).to.throw(TypeError)
  })

  it('a file of huge pages is refused: they cover more than what was reserved for them', async () => {
    const made = await pythonMemfd('os.MFD_ALLOW_SEALING | os.MFD_HUGETLB')
    const file = openSync(made.path, 'r+')
    expect(() => native().sealedBytes(file))
      .to.throw()
      .with.property('code', 'EPERM')
    expect(() => mapOf([file, 0, PAGE]))
      .to.throw()
      .with.property('code', 'EPERM')
    closeSync(file)
    await made.end()
  })

  it('a file that another process made and sealed is taken', async () => {
    const made = await pythonMemfd('os.MFD_ALLOW_SEALING')
    const file = openSync(made.path, 'r+')
    expect(native().sealedBytes(file)).to.equal(2 ** 21)
    closeSync(file)
    await made.end()
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
