// The unix socket between client and store: paths, a full backlog, a client that does not read, both ends going away.
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { expect } from 'chai'
import { domid } from '../../protocol/xen.js'
import { encodeStrings, encodeXenstoreMessage, XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { type StoreServer, serveSocket, serveStore } from '../../src/xenstore/store/socket-server.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import { UNIX_PATH_BYTES_MAX, unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { EventLog } from '../support/event-log.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'

const request = (type: keyof typeof XENSTORE_TYPES, ...strings: string[]): Buffer =>
  encodeXenstoreMessage({ type: XENSTORE_TYPES[type], requestId: 1, transactionId: 0, payload: encodeStrings(strings) })

/** A socket that writes down under `name` when it is written to, and never gets anything by itself. */
class WrittenTo extends Duplex {
  readonly #name: string
  readonly #log: string[]

  constructor(name: string, log: string[]) {
    super()
    this.#name = name
    this.#log = log
  }

  override _read(): void {}

  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    this.#log.push(this.#name)
    done()
  }

  override _writev(_chunks: unknown, done: () => void): void {
    this.#log.push(this.#name)
    done()
  }

  /** What the peer sends. */
  async receive(...requests: Buffer[]): Promise<void> {
    this.emit('data', Buffer.concat(requests))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a store and the sockets of its clients', () => {
  it('writes once to each in a turn, to those who hear of a change before the one who is answered', async () => {
    const store = new EmbeddedStore()
    const log: string[] = []
    const sockets = ['asker', 'watcher', 'other'].map((name) => new WrittenTo(name, log))
    for (const socket of sockets) serveSocket(store, domid(0), socket as unknown as Socket)
    const [asker, watcher, other] = sockets as [WrittenTo, WrittenTo, WrittenTo]
    for (const socket of sockets) await socket.receive(request('WATCH', '/a', 'token'))
    log.length = 0
    await asker.receive(request('MKDIR', '/a/b'), request('MKDIR', '/a/c'))
    expect(log.slice(0, 2)).to.have.members(['watcher', 'other'])
    expect(log.slice(2)).to.deep.equal(['asker'])
    log.length = 0
    await watcher.receive(request('RM', '/a'))
    expect(log.slice(2)).to.deep.equal(['watcher'])
    for (const socket of [asker, watcher, other]) socket.destroy()
    await new Promise((resolve) => setImmediate(resolve))
    expect(store.connections).to.equal(0)
  })
})

describe('xenstore over a unix socket', () => {
  let directory: string
  let store: EmbeddedStore
  let server: StoreServer
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-xs-'))
    store = new EmbeddedStore()
    server = await serveStore(store, join(directory, 'socket'))
  })
  afterEach(async () => {
    await server.close()
    expect(store.connections).to.equal(0)
    rmSync(directory, { recursive: true })
  })

  it('refuses a path over 107 bytes, which Node would cut off in silence', async () => {
    const path = (bytes: number) => `/${'x'.repeat(bytes - 1)}`
    expect(() => unixSocketTransport(path(UNIX_PATH_BYTES_MAX + 1)))
      .to.throw('cannot have the path')
      .with.property('code', 'EINVAL')
    expect(() => unixSocketTransport('/ü'.repeat(40)))
      .to.throw('cannot have the path')
      .with.property('code', 'EINVAL')
    await expectCode(serveStore(store, path(108)), 'EINVAL')
    await expectCode(unixSocketTransport(path(UNIX_PATH_BYTES_MAX))(), 'ENOENT')
  })

  it('tells a missing socket from a stale one', async () => {
    await expectCode(unixSocketTransport(join(directory, 'none'))(), 'ENOENT')
    rmSync(join(directory, 'none'), { force: true })
    expect(await rejectionOf(serveStore(store, server.path))).to.have.property('code', 'EADDRINUSE')
  })

  it('waits where the daemon’s backlog is full', async () => {
    // As xenstored does: a backlog of one. All connect before the server's turn comes.
    const accepted = new EventLog()
    const narrow = createServer(() => accepted.listener('connection'))
    const path = join(directory, 'narrow')
    await new Promise<void>((resolve) => narrow.listen({ path, backlog: 1 }, resolve))
    const transports = await Promise.all(Array.from({ length: 20 }, () => unixSocketTransport(path)()))
    await accepted.until(() => accepted.events.length === 20)
    for (const transport of transports) transport.close()
    await new Promise((resolve) => narrow.close(resolve))
  })

  it('stops reading from a client that does not read, serves the others, and goes on when it does', async () => {
    const other = await XenstoreClient.open(unixSocketTransport(server.path))
    const path = `/${'x'.repeat(2999)}`
    const value = Buffer.alloc(1000, 0x61)
    await other.write(path, value)
    const socket = connect({ path: server.path })
    socket.pause()
    const count = 3000
    const frame = request('READ', path)
    socket.write(Buffer.concat(Array.from({ length: count }, () => frame)))
    // Each turn could take 64 KiB from the socket: in 400 turns all of it, were it not for the unread replies.
    for (let turn = 0; turn < 400; turn++) await other.exists('/tool')
    expect(socket.writableLength).to.be.greaterThan(0)
    const expected = count * (16 + value.length)
    let received = 0
    await new Promise<void>((resolve) => {
      socket.on('data', (bytes: Buffer) => {
        received += bytes.length
        if (received >= expected) resolve()
      })
      socket.resume()
    })
    expect(received).to.equal(expected)
    socket.destroy()
    await other.close()
  })

  it('answers a client that has ended its side', async () => {
    const socket = connect({ path: server.path, allowHalfOpen: true })
    const chunks: Buffer[] = []
    socket.end(request('GET_DOMAIN_PATH', '3'))
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).subarray(16).toString()).to.equal('/local/domain/3\0')
  })

  it('serves a socket with the rights of a guest', async () => {
    store.introduceDomain(domid(3))
    const path = join(directory, 'guest')
    const guests = createServer((socket) => serveSocket(store, domid(3), socket))
    await new Promise<void>((resolve) => guests.listen({ path }, resolve))
    const guest = await XenstoreClient.open(unixSocketTransport(path))
    expect(await guest.readText('domid')).to.equal('3')
    await expectCode(guest.write('/x', ''), 'EACCES')
    const log = new EventLog()
    guest.onLost((error) => log.listener(error.code))
    store.domainDied(domid(3))
    await log.seen('XENSTORE_DISCONNECTED')
    await guest.close()
    await new Promise((resolve) => guests.close(resolve))
  })

  it('is found again after the store was restarted', async () => {
    const client = await XenstoreClient.open(unixSocketTransport(server.path))
    const log = new EventLog()
    const events = new EventLog()
    client.onReconnect(() => log.listener('reconnected'))
    await client.write('/a', 'before')
    await client.watch('/a', events.listener)
    await events.seen('/a')
    events.clear()
    client.ref()
    await server.close()
    server = await serveStore(new EmbeddedStore(), server.path)
    await log.seen('reconnected')
    await events.seen('/a')
    expect(await client.exists('/a')).to.equal(false)
    client.unref()
    await client.close()
  })
})
