// A server with the words of node:net: listens on a name or on vchan://DOMID/PORT and emits a socket for each client.
// What happens before a client is there is the listener's business.
import { EventEmitter } from 'node:events'
import { type Address, type ConduitMode, formatAddress } from '../../protocol/conduit.js'
import { ConduitError } from '../errors.js'
import { ConduitMessageSocket } from '../vchan/message-socket.js'
import { ConduitSocket, type ConduitSocketOptions } from '../vchan/socket.js'
import { addressOf, checkMode, checkNumber, checkSizes } from './connect-options.js'
import type { ConduitContext } from './context.js'
import { startDeadline } from './deadline.js'
import { serveDirect } from './direct.js'
import { writeFlow } from './flows.js'
import type { IncomingConnection, PortHandler } from './listener.js'
import type { OpenConnection } from './peer-loss.js'
import type {
  ConduitLease,
  ConnectionListener,
  DroppedConnection,
  ListenOptions,
  ServerAddress,
  ServerOptions,
} from './server-options.js'
import { SocketQueue } from './socket-queue.js'

type AnySocket = ConduitSocket | ConduitMessageSocket

const LISTEN_TIMEOUT_MS = 10_000

/**
 * Emits `connection` (socket), `listening`, `close`, `error`, `drop` ({@link DroppedConnection}).
 * Async iteration gives the sockets, until the server is closed.
 *
 * @example
 * const server = createServer((socket) => socket.pipe(socket))
 * await server.listen('echo')
 */
export class ConduitServer extends EventEmitter implements AsyncDisposable {
  maxConnections: number | undefined
  readonly #acquire: () => Promise<ConduitLease>
  readonly #options: ServerOptions
  readonly #mode: ConduitMode
  readonly #sockets = new Set<AnySocket>()
  readonly #handshakes = new Set<string>()
  /** Came while nobody listened for them: kept for who iterates. */
  readonly #unclaimed = new Set<AnySocket>()
  readonly #closing = new AbortController()
  #listening: Promise<void> | undefined
  #address: ServerAddress | undefined
  #context: ConduitContext | undefined
  #stop: () => void = () => undefined
  #release: () => Promise<void> = async () => undefined
  #closed: Promise<void> | undefined
  #whenEmpty: () => void = () => undefined
  #destroying = false
  #held = true
  #holding = false

  /** Use createServer(). */
  constructor(acquire: () => Promise<ConduitLease>, options: ServerOptions, listener?: ConnectionListener) {
    super()
    checkSizes(options)
    checkNumber('maxConnections', options.maxConnections, 0, Number.POSITIVE_INFINITY)
    this.#mode = checkMode(options.mode)
    this.#acquire = acquire
    this.#options = options
    this.maxConnections = options.maxConnections
    if (listener !== undefined) this.on('connection', listener)
  }

  /** Whether clients can connect. */
  get listening(): boolean {
    return this.#address !== undefined && this.#closed === undefined
  }

  /** Open connections. */
  get connections(): number {
    return this.#sockets.size
  }

  /** As in node:net. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#sockets.size)
    return this
  }

  /** What the server listens on; null before it does. */
  address(): ServerAddress | null {
    return this.#address ?? null
  }

  /**
   * Take connections to `NAME` (all of its ports), `NAME:PORT`, or one at `vchan://DOMID/PORT`. Resolves, and emits
   * `listening`, when clients can come. With a listener for `error` a failure is emitted as well.
   * @throws TypeError; ConduitError CONDUIT_NAME, EINVAL, EADDRINUSE, EACCES, ETIMEDOUT, XENSTORE_QUOTA, …
   */
  listen(address: string, callback?: () => void): Promise<void>
  listen(address: string, options: ListenOptions, callback?: () => void): Promise<void>
  listen(address: string, first: ListenOptions | (() => void) = {}, second?: () => void): Promise<void> {
    const [options, callback] = typeof first === 'function' ? [{}, first] : [first, second]
    if (this.#listening !== undefined) throw new TypeError('the server listens already, or was closed')
    const target = addressOf(address)
    if (callback !== undefined) this.once('listening', callback)
    this.#listening = this.#listen(target, options)
    this.#listening.then(
      () => this.emit('listening'),
      (error) => this.#failed(error),
    )
    return this.#listening
  }

  /** Take no more connections; resolves, and emits `close`, when those there are have ended. Idempotent. */
  close(callback?: (error?: Error) => void): Promise<void> {
    if (callback !== undefined) this.once('close', callback)
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Close, and break off the connections there are. */
  async destroy(): Promise<void> {
    this.#destroying = true
    const closed = this.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The sockets of clients as they come. Leaving the loop leaves the server as it is. */
  [Symbol.asyncIterator](): AsyncIterableIterator<AnySocket> {
    const queue = new SocketQueue<AnySocket>(this, [...this.#unclaimed], this.#closing.signal)
    this.#unclaimed.clear()
    return queue
  }

  /** Let the server keep the process alive while it listens; it does at first. */
  ref(): this {
    this.#held = true
    this.#hold()
    return this
  }

  unref(): this {
    this.#held = false
    this.#hold()
    return this
  }

  async #listen(target: Address, options: ListenOptions): Promise<void> {
    options.signal?.throwIfAborted()
    const lease = await this.#acquire()
    this.#release = async () => lease.release()
    const { context, listeners } = lease.conduit.attachServer(this)
    this.#context = context
    const limit = startDeadline(context.clock, {
      signal: options.signal,
      timeoutMs: options.timeoutMs ?? LISTEN_TIMEOUT_MS,
      onTimeout: () =>
        new ConduitError('ETIMEDOUT', `no registrar answered for ${formatAddress(target)}`, {
          endpoint: formatAddress(target),
          hint: 'on Xen, conduit-registrar must run in dom0',
        }),
    })
    const onClosing = () => limit.abort(closedWhileListening(target))
    this.#closing.signal.addEventListener('abort', onClosing)
    context.store.ref()
    try {
      if (this.#closing.signal.aborted) throw closedWhileListening(target)
      if (target.kind === 'direct') await this.#serveDirect(target, context, limit.signal)
      else {
        const handle = await listeners.listen(target.name, target.port, this.#handler(), limit.signal)
        this.#stop = () => handle.stop()
        this.#release = () => handle.release().finally(() => lease.release())
      }
    } finally {
      context.store.unref()
      limit.clear()
      this.#closing.signal.removeEventListener('abort', onClosing)
    }
    const name = target.kind === 'name' ? target.name : undefined
    this.#address = { address: formatAddress(target), name, port: target.port, domid: context.substrate.domid }
    this.#hold()
    options.signal?.addEventListener('abort', () => void this.close(), { once: true, signal: this.#closing.signal })
  }

  async #serveDirect(
    target: Address & { kind: 'direct' },
    context: ConduitContext,
    signal: AbortSignal,
  ): Promise<void> {
    const ringBytes = this.#options.ringBytes ?? context.ringBytes
    const service = await serveDirect(context, target, { ringBytes, spinMicros: this.#options.spinMicros }, signal)
    const releaseLease = this.#release
    this.#release = () => service.close().finally(releaseLease)
    service.client.then(
      (channel) => {
        const identity = { remoteAddress: `vchan://${target.domid}`, remotePort: target.port, localPort: target.port }
        this.#welcome({ channel, onPeerLost: (error) => channel.destroy(error) }, identity, () => undefined)
      },
      () => undefined,
    )
  }

  get #busy(): number {
    return this.#sockets.size + this.#handshakes.size
  }

  #checkEmpty(): void {
    if (this.#busy === 0) this.#whenEmpty()
  }

  #handler(): PortHandler {
    return {
      mode: this.#mode,
      ringBytes: this.#options.ringBytes,
      spinMicros: this.#options.spinMicros,
      admit: (connection) => {
        const { name, port, client, connectionId } = connection
        if (this.maxConnections !== undefined && this.#busy >= this.maxConnections) {
          const dropped: DroppedConnection = { name, port, domid: client }
          process.nextTick(() => this.emit('drop', dropped))
          return 'ECONNREFUSED'
        }
        this.#handshakes.add(`${client}/${connectionId}`)
        return undefined
      },
      onConnection: (open, connection, done) => this.#onConnection(open, connection, done),
      onAbandoned: ({ client, connectionId }) => {
        this.#handshakes.delete(`${client}/${connectionId}`)
        this.#checkEmpty()
      },
      onNameLost: (error) => {
        if (this.#closed === undefined) this.emit('error', error)
      },
    }
  }

  #onConnection(open: OpenConnection, connection: IncomingConnection, done: () => void): void {
    const { name, port, client, connectionId } = connection
    this.#handshakes.delete(`${client}/${connectionId}`)
    const context = this.#context as ConduitContext
    const removeFlow = writeFlow(context, connectionId, { state: 'established', client, name, port })
    const remoteAddress = `vchan://${client}`
    this.#welcome(open, { name, port, remoteAddress, localAddress: name, localPort: port }, () => {
      removeFlow()
      done()
    })
  }

  #welcome(open: OpenConnection, identity: ConduitSocketOptions, done: () => void): void {
    const { allowHalfOpen, highWaterMark, pauseOnConnect, maxMessageBytes } = this.#options
    const socket =
      this.#mode === 'message'
        ? new ConduitMessageSocket(open.channel, { ...identity, maxMessageBytes })
        : new ConduitSocket(open.channel, { ...identity, allowHalfOpen, highWaterMark, pauseOnConnect })
    open.onPeerLost = (error) => void socket.destroy(error)
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#unclaimed.delete(socket)
      done()
      this.#checkEmpty()
    })
    // In a turn of its own: what a listener throws is the program's, not the rendezvous'.
    process.nextTick(() => {
      if (this.#destroying) socket.destroy()
      if (this.#destroying || this.emit('connection', socket)) return
      if (this.#closing.signal.aborted) socket.destroy()
      else this.#unclaimed.add(socket)
    })
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#stop()
    for (const socket of this.#unclaimed) socket.destroy()
    await this.#listening?.catch(() => undefined)
    // Once more: listening may have succeeded in the meantime.
    this.#stop()
    this.#hold()
    if (this.#busy > 0) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty = resolve
      })
    }
    await this.#release()
    this.emit('close')
  }

  /** Not listening is the server's end: its lease goes, and close() has nothing left to do. */
  #failed(error: unknown): void {
    if (this.listenerCount('error') > 0 && this.#closed === undefined) this.emit('error', error)
    void this.close()
  }

  #hold(): void {
    const hold = this.#held && this.listening
    if (hold === this.#holding) return
    this.#holding = hold
    if (hold) this.#context?.store.ref()
    else this.#context?.store.unref()
  }
}

const closedWhileListening = (target: Address): ConduitError =>
  new ConduitError('ECONNRESET', `the server was closed before it listened on ${formatAddress(target)}`, {
    endpoint: formatAddress(target),
    hint: 'wait for listen() before close()',
  })
