// The socket that is there before it is known what it will be: nothing lost, nothing without bound, whatever comes first.
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { expect } from 'chai'
import { DeferredSocket } from '../../src/adapters/deferred-socket.js'
import type { EndpointSocket } from '../../src/adapters/endpoint-options.js'
import { eventually, turns } from '../support/eventually.js'

/** The other end of a connection, with the calls of a socket's face written down. */
class Inner extends Duplex {
  readonly received: string[] = []
  readonly calls: unknown[][] = []
  readonly remoteAddress = '10.0.0.1'
  finished = false
  /** Callbacks of writes that are not taken yet. */
  readonly held: (() => void)[] = []
  hold = false

  constructor() {
    super({ allowHalfOpen: true })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.received.push(String(chunk))
    if (this.hold) this.held.push(callback)
    else callback()
  }

  override _final(callback: () => void): void {
    this.finished = true
    callback()
  }

  setNoDelay(...given: unknown[]): void {
    this.calls.push(['setNoDelay', ...given])
  }

  setKeepAlive(...given: unknown[]): void {
    this.calls.push(['setKeepAlive', ...given])
  }

  unref(): void {
    this.calls.push(['unref'])
  }
}

interface Pair {
  readonly socket: DeferredSocket
  readonly inner: Inner
  connect(): void
  fail(error: Error): void
  readonly abandoned: () => boolean
}

function pair(options = { allowHalfOpen: false }): Pair {
  const inner = new Inner()
  let connect: () => void = () => undefined
  let fail: (error: Error) => void = () => undefined
  let abandoned = false
  const connecting = new Promise<EndpointSocket>((resolve, reject) => {
    connect = () => resolve(inner as unknown as EndpointSocket)
    fail = reject
  })
  const abandon = () => {
    abandoned = true
  }
  const socket = new DeferredSocket(connecting, abandon, options)
  return { socket, inner, connect, fail, abandoned: () => abandoned }
}

describe('a deferred socket', () => {
  it('is connecting until it stands, and says so', async () => {
    const { socket, connect } = pair()
    expect(socket).to.include({ connecting: true, pending: true, readyState: 'opening', remoteAddress: undefined })
    connect()
    await once(socket, 'connect')
    expect(socket).to.include({ connecting: false, pending: false, readyState: 'open', remoteAddress: '10.0.0.1' })
    socket.destroy()
  })

  it('hands on what was written and ended before, in order', async () => {
    const { socket, inner, connect } = pair()
    socket.write('a')
    socket.write('b')
    socket.end('c')
    await turns()
    expect(inner.received).to.deep.equal([])
    connect()
    await once(socket, 'finish')
    expect(inner.received.join('')).to.equal('abc')
    expect(inner.finished).to.equal(true)
    socket.destroy()
  })

  it('takes no more than its buffer while nobody takes it below', async () => {
    const { socket, inner, connect } = pair()
    inner.hold = true
    connect()
    await once(socket, 'connect')
    let written = 0
    while (socket.write(Buffer.alloc(1024))) written += 1024
    expect(written).to.be.lessThan(1 << 20)
    expect(inner.received).to.have.length(1)
    socket.destroy()
  })

  it('reads no more than its buffer while nobody reads it', async () => {
    const { socket, inner, connect } = pair()
    connect()
    await once(socket, 'connect')
    for (let i = 0; i < 100; i++) inner.push(Buffer.alloc(16 << 10))
    await turns()
    expect(inner.isPaused()).to.equal(true)
    expect(socket.readableLength).to.be.lessThan(100 << 10)
    let read = 0
    socket.on('data', (chunk) => {
      read += chunk.length
    })
    await eventually(() => read === 100 * (16 << 10))
    socket.destroy()
  })

  it('ends its own direction with the peer, or not, as asked', async () => {
    for (const allowHalfOpen of [false, true]) {
      const { socket, inner, connect } = pair({ allowHalfOpen })
      connect()
      inner.push('last')
      inner.push(null)
      socket.resume()
      await once(socket, 'end')
      await turns()
      expect(inner.finished).to.equal(!allowHalfOpen)
      socket.destroy()
    }
  })

  it('delivers what came before the connection broke, and then the error', async () => {
    const { socket, inner, connect } = pair()
    connect()
    await once(socket, 'connect')
    inner.push('last words')
    await eventually(() => socket.readableLength > 0)
    inner.destroy(new Error('reset'))
    await turns()
    const failed = once(socket, 'error')
    expect(String(socket.read())).to.equal('last words')
    const [error] = await failed
    expect(error).to.have.property('message', 'reset')
  })

  it('fails with what connecting fails with, and its writes with it', async () => {
    const { socket, fail } = pair()
    const written = new Promise<Error | null | undefined>((resolve) => socket.write('a', resolve))
    fail(new Error('nobody there'))
    const [error] = await once(socket, 'error')
    expect(error).to.have.property('message', 'nobody there')
    expect(await written).to.be.instanceOf(Error)
  })

  it('that is destroyed abandons the connecting, and destroys what comes all the same', async () => {
    const { socket, inner, connect, abandoned } = pair()
    socket.destroy()
    await once(socket, 'close')
    expect(abandoned()).to.equal(true)
    connect()
    await eventually(() => inner.destroyed)
  })

  it('closes when the connection closes without an end', async () => {
    const { socket, inner, connect } = pair()
    connect()
    await once(socket, 'connect')
    inner.destroy()
    await once(socket, 'close')
    expect(socket.destroyed).to.equal(true)
  })

  it('remembers what was set before it stands', async () => {
    const { socket, inner, connect } = pair()
    socket.setNoDelay().setKeepAlive(true, 1000).unref()
    connect()
    await once(socket, 'connect')
    expect(inner.calls).to.deep.equal([['setNoDelay', true], ['setKeepAlive', true, 1000], ['unref']])
    socket.destroy()
  })

  it('tells of silence, also while it connects, and refuses a time that is none', async () => {
    const { socket } = pair()
    socket.setTimeout(1)
    await once(socket, 'timeout')
    expect(socket.destroyed).to.equal(false)
    expect(() => socket.setTimeout(-1)).to.throw(RangeError)
    socket.destroy()
  })
})
