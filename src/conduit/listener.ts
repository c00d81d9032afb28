// A name's server side in one process: takes requests from clients, hands each to the port it asks for, and keeps what
// one client does from disturbing the others. One connection's way is accept.ts; sockets are made above.
import { type ConduitMode, type ConnectRequest, clientPath, parseEntry, vchanPath } from '../../protocol/conduit.js'
import { LIVE } from '../../protocol/vchan-page.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, type ConduitErrorCode, isConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import { type Release, Slots } from '../xenstore/slots.js'
import { acceptConnection, refuseConnection } from './accept.js'
import { type ConduitContext, ownDomid } from './context.js'
import { type Deadline, startDeadline } from './deadline.js'
import { ENTRIES_PER_CLIENT } from './name-directory.js'
import { NameRegistration } from './name-registration.js'
import { breakOffWhenDrained, type OpenConnection } from './peer-loss.js'
import { removeIfEmpty } from './vchan-keys.js'

/** Who came, and what for. */
export interface IncomingConnection {
  readonly name: string
  readonly port: string | undefined
  readonly client: Domid
  readonly connectionId: string
  readonly mode: ConduitMode
}

/** What a server does with the requests for its port. */
export interface PortHandler {
  readonly mode: ConduitMode
  readonly ringBytes: number | undefined
  readonly spinMicros: number | undefined
  /** A code refuses the connection before anything is allocated for it. */
  admit(connection: IncomingConnection): ConduitErrorCode | undefined
  /** The client is there. Call `done` once when the channel is closed. Must not throw. */
  onConnection(open: OpenConnection, connection: IncomingConnection, done: () => void): void
  /** An admitted connection never came to be. */
  onAbandoned(connection: IncomingConnection, error: unknown): void
  onNameLost(error: ConduitError): void
}

interface Pending {
  readonly deadline: Deadline
  readonly handler: PortHandler
  channel: VchanChannel | undefined
}

interface ClientRecord {
  /** Whether its directory was seen in this life of the store. */
  present: boolean
  readonly pending: Map<string, Pending>
  readonly handshakes: Slots
  /** Ids dealt with lately: their events are echoes. */
  readonly recent: Set<string>
  readonly open: Set<OpenConnection>
}

/** Handshakes of one client under way; more wait in order, since a client may be live before we have noticed. */
const HANDSHAKES_PER_CLIENT = ENTRIES_PER_CLIENT
/** Handshakes of one client under way or waiting; more are refused: a client keeps to 64 entries. */
const PENDING_PER_CLIENT = 4 * ENTRIES_PER_CLIENT
const RECENT_PER_CLIENT = 4 * ENTRIES_PER_CLIENT

export class Listener {
  readonly name: string
  readonly #context: ConduitContext
  readonly #ports = new Map<string | undefined, PortHandler>()
  readonly #clients = new Map<Domid, ClientRecord>()
  #registration: NameRegistration | undefined

  private constructor(context: ConduitContext, name: string) {
    this.#context = context
    this.name = name
  }

  /** @throws ConduitError EADDRINUSE, EACCES, XENSTORE_QUOTA; the signal's reason. */
  static async open(context: ConduitContext, name: string, signal: AbortSignal): Promise<Listener> {
    const listener = new Listener(context, name)
    listener.#registration = await NameRegistration.open(
      context,
      name,
      {
        onEntry: (client, connectionId) => listener.#onEntry(client, connectionId),
        onClient: (client) => context.background.run(listener.#onClient(client)),
        onStoreLost: () => {
          for (const record of listener.#clients.values()) record.present = false
        },
        onNameLost: (error) => {
          for (const handler of new Set(listener.#ports.values())) handler.onNameLost(error)
        },
      },
      signal,
    )
    return listener
  }

  /** No port: every one that no other handler takes. */
  addPort(port: string | undefined, handler: PortHandler): void {
    if (this.#ports.has(port)) {
      const address = port === undefined ? this.name : `${this.name}:${port}`
      throw new ConduitError('EADDRINUSE', `this process listens on ${JSON.stringify(address)} already`, {
        endpoint: address,
        hint: 'close the other server first, or listen on another port of the name',
      })
    }
    this.#ports.set(port, handler)
  }

  /** Refuse the port from now on, also to those half-way in; clients that have mapped their channel are in. */
  removePort(port: string | undefined, handler: PortHandler): void {
    if (this.#ports.get(port) !== handler) return
    this.#ports.delete(port)
    for (const { pending } of this.#clients.values()) {
      for (const one of pending.values()) {
        if (one.handler !== handler || clientHasCome(one.channel)) continue
        one.deadline.abort(new ConduitError('ECONNREFUSED', 'the server has closed'))
      }
    }
  }

  /** Give the name back. */
  async close(): Promise<void> {
    for (const [port, handler] of [...this.#ports]) this.removePort(port, handler)
    await this.#registration?.close()
    const own = ownDomid(this.#context)
    for (const client of this.#clients.keys()) {
      this.#context.background.run(removeIfEmpty(this.#context.store, vchanPath(own, client)))
    }
    this.#clients.clear()
  }

  #record(client: Domid): ClientRecord {
    let record = this.#clients.get(client)
    if (record === undefined) {
      const handshakes = new Slots(HANDSHAKES_PER_CLIENT)
      record = { present: false, pending: new Map(), handshakes, recent: new Set(), open: new Set() }
      this.#clients.set(client, record)
    }
    return record
  }

  /** The registrar takes the directory away when the client has died, given up the name, or filled it. */
  async #onClient(client: Domid): Promise<void> {
    const record = this.#record(client)
    if (await this.#context.store.exists(clientPath(this.name, client))) {
      record.present = true
      return
    }
    if (!record.present) return
    record.present = false
    const gone = new ConduitError('ECONNRESET', `domain ${client} is gone`, { domid: client, endpoint: this.name })
    for (const { deadline } of record.pending.values()) deadline.abort(gone)
    // A client gives a name up only after its channels have ended, so an open one has lost its peer.
    for (const open of record.open) breakOffWhenDrained(this.#context.clock, open, gone)
    this.#forgetIfIdle(client, record)
  }

  #forgetIfIdle(client: Domid, record: ClientRecord): void {
    if (record.present || record.pending.size > 0 || record.open.size > 0) return
    if (this.#clients.get(client) !== record || !this.#clients.delete(client)) return
    this.#context.background.run(removeIfEmpty(this.#context.store, vchanPath(ownDomid(this.#context), client)))
  }

  #onEntry(client: Domid, connectionId: string): void {
    const record = this.#record(client)
    const pending = record.pending.get(connectionId)
    if (pending !== undefined) this.#context.background.run(this.#onPendingEntry(client, connectionId, pending))
    if (pending !== undefined || record.recent.has(connectionId)) return
    remember(record.recent, connectionId)
    record.present = true
    this.#context.background.run(this.#onRequest(client, connectionId, record))
  }

  /** Our own answer, or the client took its request back. */
  async #onPendingEntry(client: Domid, connectionId: string, pending: Pending): Promise<void> {
    if (await this.#context.store.exists(`${clientPath(this.name, client)}/${connectionId}`)) return
    // A client removes its request once it is live.
    if (clientHasCome(pending.channel)) return
    pending.deadline.abort(new ConduitError('ECONNRESET', `domain ${client} took its request back`, { domid: client }))
  }

  async #onRequest(client: Domid, connectionId: string, record: ClientRecord): Promise<void> {
    const entryPath = `${clientPath(this.name, client)}/${connectionId}`
    const text = await this.#context.store.readText(entryPath).catch(forgetUnreadable)
    if (text === undefined) return void record.recent.delete(connectionId)
    const entry = parseEntry(text)
    // An answer that nobody waits for: written before the store was lost, or by the client itself.
    if (entry !== undefined && entry.kind !== 'connect') return
    const refuse = (code: ConduitErrorCode) => refuseConnection(this.#context, entryPath, code)
    if (entry === undefined) return refuse('CONDUIT_PROTOCOL')
    const handler = this.#ports.get(entry.request.port) ?? this.#ports.get(undefined)
    if (handler === undefined || record.pending.size >= PENDING_PER_CLIENT) return refuse('ECONNREFUSED')
    if (handler.mode !== entry.request.mode) return refuse('CONDUIT_MODE')
    const connection = connectionOf(this.name, client, connectionId, entry.request)
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
    const record = this.#record(client)
    const deadline = startDeadline(this.#context.clock, {
      timeoutMs: this.#context.handshakeTimeoutMs,
      onTimeout: () => new ConduitError('ETIMEDOUT', `domain ${client} asked for a connection and never came`),
    })
    const pending: Pending = { deadline, handler, channel: undefined }
    record.pending.set(connectionId, pending)
    let release: Release | undefined
    try {
      release = await record.handshakes.acquire(deadline.signal)
      const ringBytes = request.ringBytes ?? handler.ringBytes ?? this.#context.ringBytes
      const onServed = (channel: VchanChannel) => {
        pending.channel = channel
      }
      const offer = { client, connectionId, entryPath, ringBytes, spinMicros: handler.spinMicros, onServed }
      const channel = await acceptConnection(this.#context, offer, deadline.signal)
      const open: OpenConnection = { channel, onPeerLost: (error) => channel.destroy(error) }
      record.open.add(open)
      handler.onConnection(open, connection, () => {
        record.open.delete(open)
        this.#forgetIfIdle(client, record)
      })
    } catch (error) {
      if (release === undefined) refuseConnection(this.#context, entryPath, 'ECONNREFUSED')
      handler.onAbandoned(connection, error)
    } finally {
      release?.()
      deadline.clear()
      record.pending.delete(connectionId)
      this.#forgetIfIdle(client, record)
    }
  }
}

/** Also before its kick has arrived. */
const clientHasCome = (channel: VchanChannel | undefined): boolean =>
  channel?.state === 'open' || (channel?.state === 'waiting' && channel.inspect().clientLive !== LIVE.AWAITED)

const connectionOf = (
  name: string,
  client: Domid,
  connectionId: string,
  { port, mode }: ConnectRequest,
): IncomingConnection => ({ name, port, client, connectionId, mode })

function remember(recent: Set<string>, connectionId: string): void {
  recent.add(connectionId)
  if (recent.size <= RECENT_PER_CLIENT) return
  for (const oldest of recent) return void recent.delete(oldest)
}

/** Gone again, or closed to us by the client, who owns it. */
function forgetUnreadable(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT') && !isConduitError(error, 'EACCES')) throw error
}
