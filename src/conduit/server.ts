// A server with the words of node:net: listens on a name or on vchan://DOMID/PORT and emits a socket for each client.
// What happens before a client is there is the listener's business; what it brings is server-port.ts.
import { captureRejectionSymbol, EventEmitter } from 'node:events'
import { type Address, type ConduitLayout, type ConduitMode, formatAddress } from '../../protocol/conduit.js'
import { ConduitError, isConduitError } from '../errors.js'
import { checkMessageOptions } from '../vchan/message-socket.js'
import { checkSocketOptions } from '../vchan/socket.js'
import type { ListeningPlace } from './conduit.js'
import { addressOf, checkLayout, checkMode, checkNumber, checkSizes } from './connect-options.js'
import type { ConduitContext } from './context.js'
import { startDeadline, untilAborted } from './deadline.js'
import type { ListenHandle } from './listener-table.js'
import { ServerConnections, type ServerSocket } from './server-connections.js'
import type { ConduitLease, ConnectionListener, ListenOptions, ServerAddress, ServerOptions } from './server-options.js'
import { ServerPort } from './server-port.js'
import { SocketQueue } from './socket-queue.js'

const LISTEN_TIMEOUT_MS = 10_000

/**
 * Emits `connection` (socket), `listening`, `close`, `error`, `drop` (a `DroppedConnection`).
 * Async iteration gives the sockets, until the server is closed.
 *
 * @example
 * const server = createServer((socket) => socket.pipe(socket))
 * await server.listen('echo')
 */
export class ConduitServer<Socket extends ServerSocket = ServerSocket> extends EventEmitter implements AsyncDisposable {
  /**
   * Connections at a time, those in their handshake included; one more is refused with ECONNREFUSED, and emits `drop`.
   * May be changed at any time; undefined for no limit.
   */
  maxConnections: number | undefined
  readonly #acquire: () => Promise<ConduitLease>
  readonly #options: ServerOptions
  readonly #mode: ConduitMode
  readonly #layout: ConduitLayout
  readonly #connections: ServerConnections
  readonly #closing = new AbortController()
  #listening: Promise<void> | undefined
  #address: ServerAddress | undefined
  #context: ConduitContext | undefined
  #stop: () => void = () => undefined
  #release: () => Promise<void> = async () => undefined
  #closed: Promise<void> | undefined
  #held = true
  #holding = false

  /** Use createServer(). @internal */
  constructor(acquire: () => Promise<ConduitLease>, options: ServerOptions, listener?: ConnectionListener<never>) {
    // A listener that is async and loses its connection is no mistake of the program: see below.
    super({ captureRejections: true })
    if (typeof options !== 'object') throw new TypeError(`options of a server are an object, not ${typeof options}`)
    checkSizes(options)
    checkNumber('maxConnections', options.maxConnections, 0, Number.POSITIVE_INFINITY)
    this.#mode = checkMode(options.mode)
    if (this.#mode === 'message') checkMessageOptions(options)
    else checkSocketOptions(options)
    this.#layout = checkLayout(options)
    this.#acquire = acquire
    this.#options = options
    this.#connections = new ServerConnections(this, options, this.#mode)
    this.maxConnections = options.maxConnections
    if (listener !== undefined) this.on('connection', listener as ConnectionListener<Socket>)
  }

  /**
   * Where the promise of an async listener's rejection goes: a connection's failure ends that connection, nothing else.
   * @internal
   */
  override [captureRejectionSymbol](error: unknown, event: string | symbol, socket: unknown): void {
    if (event === 'connection' && isConduitError(error)) (socket as ServerSocket).destroy()
    else this.emit('error', error)
  }

  /** Whether clients can connect: from when listen() resolves until close() is called. */
  get listening(): boolean {
    return this.#address !== undefined && this.#closed === undefined
  }

  /** Open connections. */
  get connections(): number {
    return this.#connections.size
  }

  /** As in node:net. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#connections.size)
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
    if (this.#closed !== undefined) throw new TypeError('the server was closed: make another one')
    if (this.#listening !== undefined) throw new TypeError('the server listens already')
    const target = addressOf(address)
    if (callback !== undefined) this.once('listening', callback)
    const listening = this.#listen(target, options).then(
      // Emitted in a turn of its own: what a listener throws is the program's.
      () => void process.nextTick(() => this.emit('listening')),
      (error) => this.#failed(error, callback),
    )
    this.#listening = listening
    return listening
  }

  /** Take no more connections; resolves, and emits `close`, when those there are have ended. Idempotent. */
  close(callback?: () => void): Promise<void> {
    this.#closed ??= this.#close()
    if (callback !== undefined) void this.#closed.then(() => callback())
    return this.#closed
  }

  /** Close, and break off the connections there are. */
  async destroy(): Promise<void> {
    await Promise.all([this.#connections.close(true), this.close()])
  }

  /** {@link close}, for `await using`: waits for the connections there are. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The sockets of clients as they come. Leaving the loop leaves the server as it is. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Socket> {
    // The mode decided what the connections are made into, and the caller's type follows it.
    return new SocketQueue(this, this.#connections.takeUnclaimed() as Socket[], this.#closing.signal)
  }

  /** Let the server keep the process alive while it listens; it does at first. */
  ref(): this {
    this.#held = true
    this.#hold()
    return this
  }

  /** Let the process end although the server listens. Its connections hold the process by themselves. */
  unref(): this {
    this.#held = false
    this.#hold()
    return this
  }

  async #listen(target: Address, options: ListenOptions): Promise<void> {
    options.signal?.throwIfAborted()
    const lease = await this.#acquire()
    this.#release = async () => lease.release()
    const context = lease.conduit.attachServer(this)
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
      const places = await untilAborted(lease.conduit.placesFor(target), limit.signal)
      const handles = await this.#listenAt(places, limit.signal)
      this.#stop = () => {
        for (const handle of handles) handle.stop()
      }
      this.#release = async () => {
        const released = await Promise.allSettled(handles.map((handle) => handle.release()))
        lease.release()
        for (const result of released) if (result.status === 'rejected') throw result.reason
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

  /** At all or at none. */
  async #listenAt(places: readonly ListeningPlace[], signal: AbortSignal): Promise<ListenHandle[]> {
    const handles: ListenHandle[] = []
    try {
      for (const { context, listeners, target } of places) {
        handles.push(await this.#port(context).listen(target, listeners, signal))
      }
      return handles
    } catch (error) {
      await Promise.all(handles.map((handle) => handle.release()))
      throw error
    }
  }

  #port(context: ConduitContext): ServerPort {
    const connections = this.#connections
    return new ServerPort({
      context,
      connections,
      mode: this.#mode,
      layout: this.#layout,
      rings: this.#options,
      isFull: () => this.maxConnections !== undefined && connections.busy >= this.maxConnections,
      // Emitted in a turn of their own: what a listener throws is the program's.
      onDrop: (dropped) => process.nextTick(() => this.emit('drop', dropped)),
      onNameLost: (error) => {
        if (this.#closed === undefined) process.nextTick(() => this.emit('error', error))
      },
    })
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#stop()
    await this.#listening?.catch(() => undefined)
    // Once more: listening may have succeeded in the meantime.
    this.#stop()
    this.#hold()
    await this.#connections.close(false)
    await this.#release()
    this.emit('close')
  }

  /** As in node:net, listen() may be tried again. */
  async #failed(error: unknown, callback: (() => void) | undefined): Promise<never> {
    if (callback !== undefined) this.off('listening', callback)
    const [release, listening] = [this.#release, this.#listening]
    this.#release = async () => undefined
    await release()
    this.#listening = undefined
    if (this.#closed === undefined && this.listenerCount('error') > 0) {
      // Who listens for errors need not look at the promise.
      listening?.catch(() => undefined)
      process.nextTick(() => this.emit('error', error))
    }
    throw error
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
