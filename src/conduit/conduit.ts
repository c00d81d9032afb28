// One process's environment: a substrate, its store, and what connects and listens there. Composes the parts of
// conduit/ and makes sockets of channels. Which substrate is not its choice.
import type { Address } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError } from '../errors.js'
import type { Substrate } from '../substrate/substrate.js'
import { ConduitMessageSocket } from '../vchan/message-socket.js'
import { ConduitSocket } from '../vchan/socket.js'
import { XenstoreClient } from '../xenstore/client.js'
import { Background } from './background.js'
import { type Clock, systemClock } from './clock.js'
import {
  addressOf,
  type ConnectOptions,
  checkConnectOptions,
  checkNumber,
  checkSizes,
  type MessageConnectOptions,
  type StreamConnectOptions,
} from './connect-options.js'
import { Connector } from './connector.js'
import { type ConduitContext, ownDomid } from './context.js'
import { type ConnectionOptions, createConnectionIn } from './create-connection.js'
import { type DialedChannel, Dialer } from './dialer.js'
import { DomainWatch } from './domain-watch.js'
import { FlatLayout } from './flat-layout.js'
import { FlowTable } from './flow-table.js'
import { type Flow, listFlows, listUnlisted, type UnlistedFlows } from './flows.js'
import { ListenerTable } from './listener-table.js'
import { Loopback, ownAddress } from './loopback.js'
import { Mailbox } from './mailbox.js'
import { listNames, type NameEntry } from './names.js'
import { affordableRingBytes } from './serve-within-means.js'
import { ConduitServer } from './server.js'
import type {
  ConduitLease,
  ConnectionListener,
  MessageServerOptions,
  ServerOptions,
  StreamServerOptions,
} from './server-options.js'
import type { Listeners } from './server-port.js'

/** What Conduit.open() lives on, and the limits of its rendezvous. */
export interface ConduitOptions {
  /** Closed with the environment. */
  readonly substrate: Substrate
  /**
   * Bytes of each ring where a client asks for none: 256 KiB on local, 64 KiB elsewhere by default. On Xen 16 KiB when a
   * quarter of the grants is taken by this process, 4 KiB beyond three eighths, the in-page rings beyond a half.
   */
  readonly ringBytes?: number | undefined
  /** How long a server waits for a client that it has accepted; 10,000 by default. */
  readonly handshakeTimeoutMs?: number | undefined
  /** How long a name stays wanted after its last connection; 5,000 by default. */
  readonly lingerMs?: number | undefined
  /**
   * Opens the environment for connections within this domain, for substrates that share pages between two domains only: at the
   * first server that listens, or the first client of such a one. Closed with this one.
   */
  readonly loopback?: (() => Promise<Conduit>) | undefined
  /** For tests. */
  readonly clock?: Clock | undefined
}

/** Where a server listens, and on what. */
export interface ListeningPlace {
  readonly context: ConduitContext
  readonly listeners: Listeners
  readonly target: Address
}

const HANDSHAKE_TIMEOUT_MS = 10_000
const LINGER_MS = 5000
const LOCAL_RING_BYTES = 256 << 10
const RING_BYTES = 64 << 10

/**
 * An environment of its own: a domain, its connection to the store, its servers and connections.
 * {@link connect} and {@link createServer} of the package share one; make another to choose the substrate.
 */
export class Conduit {
  readonly #context: ConduitContext
  readonly #connector: Connector
  readonly #dialer: Dialer
  readonly #listeners: ListenerTable
  readonly #flat: FlatLayout
  readonly #sockets = new Set<{
    destroy(error?: Error): unknown
    once(event: 'close', listener: () => void): unknown
  }>()
  readonly #servers = new Set<ConduitServer>()
  readonly #lease = async (): Promise<ConduitLease> => ({ conduit: this, release: () => undefined })
  #closing: Promise<void> | undefined

  private constructor(options: ConduitOptions, store: XenstoreClient) {
    const { substrate } = options
    const background = new Background()
    const clock = options.clock ?? systemClock
    const usualBytes = substrate.kind === 'local' ? LOCAL_RING_BYTES : RING_BYTES
    this.#context = {
      substrate,
      store,
      mailbox: new Mailbox(store, () => substrate.domid),
      clock,
      background,
      flows: new FlowTable(store, background, () => substrate.domid),
      domains: new DomainWatch(store, clock, background),
      get ringBytes() {
        return options.ringBytes ?? affordableRingBytes(usualBytes, substrate.grantBudget)
      },
      handshakeTimeoutMs: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
      loopback: options.loopback === undefined ? undefined : new Loopback(options.loopback),
      lingerMs: options.lingerMs ?? LINGER_MS,
    }
    this.#connector = new Connector(this.#context)
    this.#flat = new FlatLayout(this.#context)
    this.#dialer = new Dialer(this.#context, this.#connector, this.#flat.connector)
    this.#listeners = new ListenerTable(this.#context)
  }

  /**
   * Connect to the substrate's store. The substrate is closed when that fails, and with the environment.
   * @throws ConduitError SUBSTRATE_LOST, XENSTORE_DISCONNECTED
   */
  static async open(options: ConduitOptions): Promise<Conduit> {
    checkSizes(options)
    checkNumber('handshakeTimeoutMs', options.handshakeTimeoutMs, 0, Number.MAX_SAFE_INTEGER)
    checkNumber('lingerMs', options.lingerMs, 0, Number.MAX_SAFE_INTEGER)
    try {
      return new Conduit(options, await XenstoreClient.open(() => options.substrate.xenstore()))
    } catch (error) {
      await options.substrate.close()
      throw error
    }
  }

  /** This environment's domain. */
  get domid(): Domid {
    return ownDomid(this.#context)
  }

  /** Its connection to the store. */
  get store(): XenstoreClient {
    return this.#context.store
  }

  /**
   * A socket to whoever holds the name, or serves `vchan://DOMID/PORT`.
   * @throws TypeError, RangeError for wrong options; ConduitError CONDUIT_NAME, EINVAL, ENOENT, ECONNREFUSED, ETIMEDOUT,
   * ECONNRESET, CONDUIT_MODE, EACCES, …; the signal's reason.
   */
  connect(address: string, options: MessageConnectOptions): Promise<ConduitMessageSocket>
  connect(address: string, options?: StreamConnectOptions): Promise<ConduitSocket>
  connect(address: string, options?: ConnectOptions): Promise<ConduitSocket | ConduitMessageSocket>
  async connect(address: string, options: ConnectOptions = {}): Promise<ConduitSocket | ConduitMessageSocket> {
    const target = addressOf(address)
    checkConnectOptions(options)
    const opened = await this.dial(target, options)
    const { signal: _signal, ...behaviour } = options
    const identity = { ...behaviour, ...opened.identity }
    const socket =
      identity.mode === 'message'
        ? new ConduitMessageSocket(opened.channel, identity)
        : new ConduitSocket(opened.channel, identity)
    this.bind(socket, opened)
    return socket
  }

  /** As net.createConnection: a socket at once, which emits `connect` or `error`. */
  createConnection(options: string | ConnectionOptions, onConnect?: () => void): ConduitSocket {
    const socket = createConnectionIn(this.#lease, options, onConnect)
    this.#track(socket)
    return socket
  }

  /** A server that takes connections once it listens on a name. */
  createServer(
    options: MessageServerOptions,
    listener?: ConnectionListener<ConduitMessageSocket>,
  ): ConduitServer<ConduitMessageSocket>
  createServer(
    options?: StreamServerOptions,
    listener?: ConnectionListener<ConduitSocket>,
  ): ConduitServer<ConduitSocket>
  createServer(listener?: ConnectionListener<ConduitSocket>): ConduitServer<ConduitSocket>
  createServer(options: ServerOptions, listener?: ConnectionListener): ConduitServer
  createServer(first?: ServerOptions | ConnectionListener<never>, second?: ConnectionListener<never>): ConduitServer {
    const [options, listener] = typeof first === 'function' ? [{}, first] : [first ?? {}, second]
    return new ConduitServer(this.#lease, options, listener)
  }

  /** The names there are, and whose. */
  names(): Promise<NameEntry[]> {
    return listNames(this.#context.store)
  }

  /** Open connections as their servers wrote them down, 128 a server at most; as far as this domain may read. */
  flows(): Promise<Flow[]> {
    return listFlows(this.#context.store)
  }

  /** Of each server that has more open connections than {@link flows} shows: how many more. */
  unlistedFlows(): Promise<UnlistedFlows[]> {
    return listUnlisted(this.#context.store)
  }

  /** For ConduitServer: the environment that it is closed with. @internal */
  attachServer(server: ConduitServer): ConduitContext {
    if (this.#closing !== undefined) throw environmentClosed()
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
    return this.#context
  }

  /**
   * For ConduitServer: where it listens. Within the domain first, where one process alone can have a name.
   * @throws ConduitError why the environment for connections within the domain cannot be opened
   * @internal
   */
  async placesFor(target: Address): Promise<ListeningPlace[]> {
    const place = { context: this.#context, listeners: { guarded: this.#listeners, flat: this.#flat }, target }
    const own = ownAddress(this.#context, target)
    const { loopback } = this.#context
    if (loopback === undefined || (target.kind === 'direct' && own === undefined)) return [place]
    const within = await loopback.conduit()
    const guarded = within.#listeners
    const here = { context: within.#context, listeners: { guarded, flat: guarded }, target: own ?? target }
    return own === undefined ? [here, place] : [here]
  }

  /** A channel that is not a socket yet; see {@link bind}. For this package's own sockets. @internal */
  async dial(address: Address, options: ConnectOptions): Promise<DialedChannel> {
    if (this.#closing !== undefined) throw environmentClosed()
    return this.#dialer.dial(address, options)
  }

  /** Tie a channel's life to its socket's. @internal */
  bind(socket: ConduitSocket | ConduitMessageSocket, dialed: DialedChannel): void {
    if (socket instanceof ConduitSocket) socket.identify(dialed.identity)
    dialed.onPeerLost = (error) => void socket.destroy(error)
    this.#track(socket)
    if (socket.destroyed) dialed.done()
    else socket.once('close', dialed.done)
  }

  /** Destroy the connections, close the servers, leave nothing in the store, leave the substrate. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** {@link close}, for `await using`: connections are broken off, not waited for. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { store, mailbox, background, substrate } = this.#context
    this.#dialer.abort(environmentClosed())
    const destroyed = [...this.#sockets].map((socket) => {
      const closed = new Promise<void>((resolve) => void socket.once('close', resolve))
      socket.destroy()
      return closed
    })
    await Promise.all([...destroyed, ...[...this.#servers].map((server) => server.destroy())])
    await Promise.all([this.#connector.close(), this.#listeners.close()])
    await this.#context.loopback?.close()
    await background.settled()
    await mailbox.close()
    await store.close()
    await substrate.close()
  }

  #track(socket: ConduitSocket | ConduitMessageSocket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}

const environmentClosed = (): ConduitError =>
  new ConduitError('ECONNRESET', 'the environment was closed', { hint: 'open another one' })
