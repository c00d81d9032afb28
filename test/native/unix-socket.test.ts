// Descriptors over unix sockets: they arrive, in order, and none is left open when a message is cut.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { native } from '../../src/native.js'
import { sendFromPython } from '../support/python-peer.js'

const openFds = (): number => readdirSync('/proc/self/fd').length

describe('addon: unix sockets', () => {
  it('passes descriptors beside the bytes', () => {
    const [a, b] = native().socketPair(false)
    const file = native().memfdCreate('conduit-test', 4096)
    expect(native().sendMessage(a, Uint8Array.of(1, 2, 3), [file])).to.equal(true)
    const target = new Uint8Array(16)
    const received = native().receiveMessage(b, target)!
    expect(received.bytes).to.equal(3)
    expect([...target.subarray(0, 3)]).to.deep.equal([1, 2, 3])
    expect(received.fds).to.have.length(1)
    expect(native().sealedBytes(received.fds[0]!)).to.equal(4096)
    for (const fd of [a, b, file, ...received.fds]) native().closeFd(fd)
  })

  it('tells nothing-there from the end', () => {
    const [a, b] = native().socketPair(false)
    expect(native().receiveMessage(b, new Uint8Array(4))).to.equal(null)
    native().closeFd(a)
    expect(native().receiveMessage(b, new Uint8Array(4))).to.deep.equal({ bytes: 0, fds: [], fdsLost: false })
    native().closeFd(b)
  })

  it('refuses a message that does not fit, and closes the descriptors that came with it', () => {
    const [a, b] = native().socketPair(false)
    const before = openFds()
    native().sendMessage(a, new Uint8Array(64), [a, a, a])
    expect(() => native().receiveMessage(b, new Uint8Array(8)))
      .to.throw()
      .with.property('code', 'EMSGSIZE')
    expect(openFds()).to.equal(before)
    native().closeFd(a)
    native().closeFd(b)
  })

  it('closes the descriptors beside a message of no bytes, which is the end', async () => {
    const [a, b] = native().socketPair(false)
    const before = openFds()
    await sendFromPython(a, { bytes: 0, descriptors: 3 })
    expect(native().receiveMessage(b, new Uint8Array(8))).to.deep.equal({ bytes: 0, fds: [], fdsLost: false })
    expect(openFds()).to.equal(before)
    expect(() => native().sendMessage(a, new Uint8Array(0), []))
      .to.throw()
      .with.property('code', 'EINVAL')
    native().closeFd(a)
    native().closeFd(b)
  })

  it('takes as many descriptors as the kernel sends at once', async () => {
    const [a, b] = native().socketPair(false)
    await sendFromPython(a, { bytes: 1, descriptors: 253 })
    const { fds, fdsLost } = native().receiveMessage(b, new Uint8Array(8))!
    expect([fds.length, fdsLost]).to.deep.equal([253, false])
    for (const fd of [...fds, a, b]) native().closeFd(fd)
  })

  it('tells of descriptors lost, and closes what came, where the process has no room for those of a message', async () => {
    const child = fileURLToPath(new URL('./children/few-descriptors.js', import.meta.url))
    const running = spawn('sh', ['-c', 'ulimit -n 100; exec "$0" "$1"', process.execPath, child], { stdio: 'inherit' })
    expect(await once(running, 'close')).to.deep.equal([0, null])
  })

  it('reads its arguments before the bytes, which a getter among them could take away', () => {
    const [a, b] = native().socketPair(false)
    const bytes = Uint8Array.of(1, 2, 3)
    const list = Object.defineProperty([0], 0, {
      get: () => {
        structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
        return a
      },
    })
    expect(() => native().sendMessage(a, bytes, list))
      .to.throw()
      .with.property('code', 'EINVAL')
    expect(native().receiveMessage(b, new Uint8Array(4))).to.equal(null)
    native().closeFd(a)
    native().closeFd(b)
  })

  it('closes and releases only what it handed out, once', () => {
    const fd = native().eventfdCreate()
    native().closeFd(fd)
    for (const release of [native().closeFd, native().releaseFd]) {
      for (const one of [fd, 0, 9999]) {
        expect(() => release(one))
          .to.throw()
          .with.property('code', 'EBADF')
      }
      for (const one of [Number.NaN, -1, 2 ** 32]) expect(() => release(one)).to.throw(RangeError)
    }
  })

  it('says false when the queue is full and EPIPE when nobody reads any more', () => {
    const [a, b] = native().socketPair(false)
    let sent = 0
    while (native().sendMessage(a, new Uint8Array(1024), [])) sent++
    expect(sent).to.be.greaterThan(0)
    for (let taken = 0; taken < sent; taken++) native().receiveMessage(b, new Uint8Array(1024))
    native().closeFd(b)
    expect(() => native().sendMessage(a, new Uint8Array(1), []))
      .to.throw()
      .with.property('code', 'EPIPE')
    native().closeFd(a)
  })

  it('listens, connects, accepts and knows who came', () => {
    const folder = mkdtempSync(join(tmpdir(), 'conduit-'))
    const path = join(folder, 'socket')
    const listener = native().unixListen(path, false)
    expect(native().unixAccept(listener)).to.equal(-1)
    const client = native().unixConnect(path)
    const server = native().unixAccept(listener)
    expect(native().peerCredentials(server)).to.deep.equal({
      pid: process.pid,
      uid: process.getuid!(),
      gid: process.getgid!(),
    })
    for (const fd of [listener, client, server]) native().closeFd(fd)
    expect(() => native().unixConnect(path))
      .to.throw()
      .with.property('code', 'ECONNREFUSED')
    rmSync(folder, { recursive: true })
    expect(() => native().unixConnect(path))
      .to.throw()
      .with.property('code', 'ENOENT')
  })

  it('refuses a path that does not fit into an address rather than cutting it', () => {
    expect(() => native().unixListen('/tmp/conduit\0test', false)).to.throw(TypeError)
    expect(() => native().unixListen('', false))
      .to.throw()
      .with.property('code', 'ENOENT')
    expect(() => native().unixConnect(`/tmp/${'x'.repeat(120)}`))
      .to.throw()
      .with.property('code', 'ENAMETOOLONG')
  })
})
