// One client of a listener: its requests, its handshakes under way, its open connections. Whatever a client does is
// bounded here, and disturbs no other. One connection's way is accept.ts; which port takes it is the listener's to say.
import { type ConnectRequest, clientPath, parseEntry, vchanPath } from '../../protocol/conduit.js'
import { LIVE } from '../../protocol/vchan-page.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, type ConduitErrorCode, isConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import { type Release, Slots } from '../xenstore/slots.js'
import { acceptConnection, refuseConnection } from './accept.js'
import { type ConduitContext, ownDomid } from './context.js'
import { type Deadline, startDeadline } from './deadline.js'
import { ENTRIES_PER_CLIENT } from './name-directory.js'
import { breakOffWhenDrained, type OpenConnection } from './peer-loss.js'
import type { IncomingConnection, PortHandler } from './port-handler.js'
import { removeIfEmpty, removeKeys } from './vchan-keys.js'

export interface ListenerClientOptions {
  /** What the client asks for. */
  readonly name: string
  readonly client: Domid
  handlerOf(port: string | undefined): PortHandler | undefined
  /** Nothing of the client is left, as far as can be seen. */
  onIdle(): void
}

interface Pending {
  readonly deadline: Deadline
  readonly handler: PortHandler
  channel: VchanChannel | undefined
}

/** Handshakes of one client under way; more wait in order, since a client may be live before we have noticed. */
const HANDSHAKES_PER_CLIENT = ENTRIES_PER_CLIENT
/** Handshakes of one client under way or waiting; more are refused: a client keeps to 64 entries. */
const PENDING_PER_CLIENT = 4 * ENTRIES_PER_CLIENT
const RECENT_PER_CLIENT = 4 * ENTRIES_PER_CLIENT

export class ListenerClient {
  readonly #context: ConduitContext
  readonly #options: ListenerClientOptions
  readonly #directory: string
  readonly #pending = new Map<string, Pending>()
  readonly #handshakes = new Slots(HANDSHAKES_PER_CLIENT)
  /** Ids dealt with lately: their events are echoes. */
  readonly #recent = new Set<string>()
  readonly #open = new Set<OpenConnection>()
  /** Whether its directory was seen in this life of the store. */
  #present = false
  /** Requests being read, refused or served until their client has come. */
  #requests = 0

  constructor(context: ConduitContext, options: ListenerClientOptions) {
    this.#context = context
    this.#options = options
    this.#directory = clientPath(options.name, options.client)
  }

  /** Something happened at an entry, perhaps its removal. */
  onEntry(connectionId: string): void {
    const pending = this.#pending.get(connectionId)
    if (pending !== undefined) this.#context.background.run(this.#onPendingEntry(connectionId, pending))
    if (pending !== undefined || this.#recent.has(connectionId)) return
    this.#remember(connectionId)
    this.#present = true
    this.#requests++
    const dealtWith = this.#onRequest(connectionId).finally(() => {
      this.#requests--
      this.#tellIfIdle()
    })
    this.#context.background.run(dealtWith)
  }

  /** The registrar takes the directory away when the client has died, given up the name, or filled it. */
  async onDirectory(): Promise<void> {
    if (await this.#context.store.exists(this.#directory)) {
      this.#present = true
      return
    }
    if (!this.#present) return
    this.#present = false
    const { client, name } = this.#options
    const gone = new ConduitError('ECONNRESET', `domain ${client} is gone`, { domid: client, endpoint: name })
    for (const { deadline } of this.#pending.values()) deadline.abort(gone)
    // A client gives a name up only after its channels have ended, so an open one has lost its peer.
    for (const open of this.#open) breakOffWhenDrained(this.#context.clock, open, gone)
    this.#tellIfIdle()
  }

  /** What was seen in the store says nothing about what will be. */
  onStoreLost(): void {
    this.#present = false
  }

  /** Give up the handshakes for a port that is no more; a client that has mapped its channel is in. */
  stopHandshakes(handler: PortHandler): void {
    for (const pending of this.#pending.values()) {
      if (pending.handler !== handler || hasCome(pending.channel)) continue
      pending.deadline.abort(new ConduitError('ECONNREFUSED', 'the server has closed'))
    }
  }

  /** Remove the directory of the client's keys, unless another name's lie there. */
  removeKeysDirectory(): void {
    const path = vchanPath(ownDomid(this.#context), this.#options.client)
    // Order matters: after the keys of the last connection, whose removal waits for its turn. oxenstored lets a transaction pass
    // that has seen them and changed nothing, and the directory would stay.
    this.#context.background.later(() => removeIfEmpty(this.#context.store, path))
  }

  /** Our own answer, or the client took its request back. */
  async #onPendingEntry(connectionId: string, pending: Pending): Promise<void> {
    if (await this.#context.store.exists(`${this.#directory}/${connectionId}`)) return
    // A client removes its request once it is live.
    if (hasCome(pending.channel)) return
    const { client } = this.#options
    pending.deadline.abort(new ConduitError('ECONNRESET', `domain ${client} took its request back`, { domid: client }))
  }

  async #onRequest(connectionId: string): Promise<void> {
    const { name, client } = this.#options
    const entryPath = `${this.#directory}/${connectionId}`
    const text = await this.#context.store.readText(entryPath).catch(forgetUnreadable)
    if (text === undefined) return void this.#recent.delete(connectionId)
    const entry = parseEntry(text)
    // An answer that nobody here waits for: the last holder's, which was killed and left its keys, one of before the store was
    // lost, or the client's own work.
    if (entry !== undefined && entry.kind !== 'connect') {
      const keys = `${vchanPath(ownDomid(this.#context), client)}/${connectionId}`
      return void (await removeKeys(this.#context.store, keys))
    }
    const refuse = (code: ConduitErrorCode) => refuseConnection(this.#context, entryPath, code)
    if (entry === undefined) return refuse('CONDUIT_PROTOCOL')
    const { port, mode } = entry.request
    const handler = this.#options.handlerOf(port)
    if (handler === undefined || this.#pending.size >= PENDING_PER_CLIENT) return refuse('ECONNREFUSED')
    if (handler.mode !== mode) return refuse('CONDUIT_MODE')
    const connection: IncomingConnection = { name, port, client, connectionId, mode }
    const code = handler.admit(connection)
    if (code !== undefined) return refuse(code)
    await this.#accept(connection, entryPath, entry.request, handler)
  }

  async #accept(
    connection: IncomingConnection,
    entryPath: string,
    request: ConnectRequest,
    handler: PortHandler,
  ): Promise<void> {
    const { client, connectionId } = connection
    const deadline = startDeadline(this.#context.clock, {
      timeoutMs: this.#context.handshakeTimeoutMs,
      onTimeout: () => new ConduitError('ETIMEDOUT', `domain ${client} asked for a connection and never came`),
    })
    const pending: Pending = { deadline, handler, channel: undefined }
    this.#pending.set(connectionId, pending)
    let release: Release | undefined
    try {
      release = await this.#handshakes.acquire(deadline.signal)
      const ringBytes = request.ringBytes ?? handler.ringBytes ?? this.#context.ringBytes
      const onServed = (channel: VchanChannel) => {
        pending.channel = channel
      }
      const offer = { client, connectionId, entryPath, ringBytes, spinMicros: handler.spinMicros, onServed }
      this.#welcome(await acceptConnection(this.#context, offer, deadline.signal), connection, handler)
    } catch (error) {
      if (release === undefined) refuseConnection(this.#context, entryPath, 'ECONNREFUSED')
      handler.onAbandoned(connection, error)
    } finally {
      release?.()
      deadline.clear()
      this.#pending.delete(connectionId)
    }
  }

  #welcome(channel: VchanChannel, connection: IncomingConnection, handler: PortHandler): void {
    const open: OpenConnection = { channel, onPeerLost: (error) => channel.destroy(error) }
    this.#open.add(open)
    handler.onConnection(open, connection, () => {
      this.#open.delete(open)
      this.#tellIfIdle()
    })
  }

  #remember(connectionId: string): void {
    this.#recent.add(connectionId)
    if (this.#recent.size <= RECENT_PER_CLIENT) return
    for (const oldest of this.#recent) return void this.#recent.delete(oldest)
  }

  #tellIfIdle(): void {
    if (!this.#present && this.#requests === 0 && this.#open.size === 0) this.#options.onIdle()
  }
}

/** Also before its kick has arrived. */
const hasCome = (channel: VchanChannel | undefined): boolean =>
  channel?.state === 'open' || (channel?.state === 'waiting' && channel.inspect().clientLive !== LIVE.AWAITED)

/** Gone again, or closed to us by the client, who owns it. */
function forgetUnreadable(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT') && !isConduitError(error, 'EACCES')) throw error
}
