// Descriptors over unix sockets: they arrive, in order, and none is left open when a message is cut.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { native } from '../../src/native.js'

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
    expect(native().receiveMessage(b, new Uint8Array(4))).to.deep.equal({ bytes: 0, fds: [] })
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
    const listener = native().unixListen(path)
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
    expect(() => native().unixConnect(`/tmp/${'x'.repeat(120)}`))
      .to.throw()
      .with.property('code', 'ENAMETOOLONG')
  })
})
