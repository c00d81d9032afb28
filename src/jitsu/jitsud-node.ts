// The conduit name `jitsud`: who connects there and says a service's name has it booted, and hears when it is ready. Whoever may
// reach the store may ask; asking costs a bounded place here, and at most one boot there.
import {
  formatSummonReply,
  JITSUD_NAME,
  parseSummon,
  type Reservation,
  SUMMON_BYTES,
  type SummonReply,
} from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import type { Conduit } from '../conduit/conduit.js'
import { reserveName, unreserveName } from '../conduit/reservations.js'
import type { ConduitServer } from '../conduit/server.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { ConduitMessageSocket } from '../vchan/message-socket.js'
import type { XenstoreClient } from '../xenstore/client.js'
import { errorFields, type Logger, silentLogger } from './logger.js'
import { type MonotonicClock, monotonicClock } from './monotonic-clock.js'
import { holderOf } from './readiness/conduit-readiness.js'
import { afterDelay } from './readiness/delay-readiness.js'
import type { Services } from './summon.js'

/** Questions at a time, of all domains and of one: a client asks once for each name that it wants, 16 at a time. */
export const QUESTIONS = 256
export const QUESTIONS_PER_DOMAIN = 32
/** How long a client may take to ask, and to leave after the answer. */
export const PATIENCE_MS = 10_000
const RING_BYTES = 4096
/** Between attempts to have the name again. */
const AGAIN_MS = 250

export interface JitsudNodeOptions {
  /** Where it listens; it stays the caller's. */
  readonly conduit: Conduit
  /** The same store with dom0's rights. */
  readonly store: XenstoreClient
  /** On Xen: jitsud's own domain. On the local hypervisor it is this process that is told from all others. */
  readonly processDomid?: Domid | undefined
  readonly services: Services
  readonly log?: Logger | undefined
  readonly clock?: MonotonicClock | undefined
}

/** What happened at the node since it listens. */
export interface JitsudNodeCounters {
  /** Answered: ready, unknown or failed. */
  answered: number
  /** Not answered: no question came, or the client went. */
  dropped: number
  /** Turned away because too many were asking. */
  refused: number
}

export class JitsudNode implements AsyncDisposable {
  readonly counters: JitsudNodeCounters = { answered: 0, dropped: 0, refused: 0 }
  readonly #store: XenstoreClient
  readonly #services: Services
  readonly #log: Logger
  readonly #clock: MonotonicClock
  readonly #conduit: Conduit
  #server: ConduitServer<ConduitMessageSocket> | undefined
  #relistening: Promise<void> | undefined
  readonly #closing = new AbortController()
  readonly #reservation: Reservation
  /** Open questions by client, as the socket names it. */
  readonly #asking = new Map<string, number>()
  readonly #stopReconnect: () => void
  #closed: Promise<void> | undefined

  private constructor(options: JitsudNodeOptions) {
    const { conduit, store, services, processDomid } = options
    this.#store = store
    this.#services = services
    this.#log = options.log ?? silentLogger
    this.#clock = options.clock ?? monotonicClock
    this.#reservation =
      processDomid === undefined ? { kind: 'process', pid: process.pid } : { kind: 'domain', domid: processDomid }
    this.#conduit = conduit
    this.#stopReconnect = store.onReconnect(() => void this.#reserve().catch(() => undefined))
  }

  /**
   * Listen at once.
   * @throws ConduitError EADDRINUSE when another jitsud serves this store; EACCES without dom0's rights
   */
  static async listen(options: JitsudNodeOptions): Promise<JitsudNode> {
    const { store, conduit } = options
    const holder = await holderOf(store, JITSUD_NAME)
    if (holder !== undefined && holder !== conduit.domid) {
      throw new ConduitError('EADDRINUSE', `another jitsud serves this store: domain ${holder} holds its name`, {
        endpoint: JITSUD_NAME,
        domid: holder,
        hint: 'one is enough for a machine: end the other, or give this one another CONDUIT_RUNTIME_DIR',
      })
    }
    const node = new JitsudNode(options)
    try {
      await node.#listen()
      return node
    } catch (error) {
      await node.close()
      throw error
    }
  }

  /** Answer nobody any more. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#stopReconnect()
    this.#closing.abort()
    await this.#relistening
    await this.#server?.destroy()
    await unreserveName(this.#store, JITSUD_NAME).catch(() => undefined)
  }

  #reserve(): Promise<void> {
    return reserveName(this.#store, JITSUD_NAME, this.#reservation)
  }

  async #listen(): Promise<void> {
    await this.#reserve()
    const limits = { maxMessageBytes: SUMMON_BYTES, maxConnections: QUESTIONS, ringBytes: RING_BYTES }
    const server = this.#conduit.createServer({ mode: 'message', ...limits }, (socket) => this.#onClient(socket))
    server.on('drop', () => this.counters.refused++)
    try {
      await server.listen(JITSUD_NAME, { signal: this.#closing.signal })
    } catch (error) {
      await server.destroy()
      throw error
    }
    this.#server = server
    server.on('error', (error) => {
      this.#log.warn('the conduit name jitsud was lost and is asked for again', errorFields(error))
      this.#relistening ??= this.#listenAgain(server).finally(() => {
        this.#relistening = undefined
      })
    })
  }

  /** A new store may be asked for the name before it knows that it is kept for us. */
  async #listenAgain(lost: ConduitServer<ConduitMessageSocket>): Promise<void> {
    this.#server = undefined
    await lost.destroy()
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        return await this.#listen()
      } catch (error) {
        this.#log.debug('the conduit name jitsud cannot be had', errorFields(error))
        await afterDelay({ clock: this.#clock, signal }, AGAIN_MS).catch(() => undefined)
      }
    }
  }

  #onClient(socket: ConduitMessageSocket): void {
    const client = socket.remoteAddress
    const asking = (this.#asking.get(client) ?? 0) + 1
    // What it breaks off is its own loss.
    socket.on('error', () => undefined)
    if (asking > QUESTIONS_PER_DOMAIN) {
      this.counters.refused++
      return void socket.destroy()
    }
    this.#asking.set(client, asking)
    socket.once('close', () => {
      const left = (this.#asking.get(client) ?? 1) - 1
      if (left === 0) this.#asking.delete(client)
      else this.#asking.set(client, left)
    })
    this.#converse(socket).catch(() => {
      this.counters.dropped++
      socket.destroy()
    })
  }

  /** One question, one answer. @throws when there is nobody to answer */
  async #converse(socket: ConduitMessageSocket): Promise<void> {
    const gone = new AbortController()
    socket.once('close', () => gone.abort(new ConduitError('ECONNRESET', 'the client has gone')))
    const text = await this.#within(socket, socket.receive())
    if (text === null) throw new ConduitError('ECONNRESET', 'the client asked nothing')
    // Read on: that is how its leaving is noticed while the service boots. A second question is not waited for.
    const leaving = socket.receive().then((second) => {
      if (second !== null) socket.destroy()
    })
    leaving.catch(() => undefined)
    const reply = await this.#reply(text.toString(), gone.signal)
    socket.send(formatSummonReply(reply))
    socket.end()
    this.counters.answered++
    await this.#within(socket, new Promise<void>((resolve) => void socket.once('close', () => resolve())))
  }

  async #reply(text: string, signal: AbortSignal): Promise<SummonReply> {
    const name = parseSummon(text)
    const service = name === undefined ? undefined : this.#services.byName(name)
    if (service === undefined) return { kind: 'unknown' }
    try {
      await service.summon('conduit', { until: 'ready', signal })
      return { kind: 'ready' }
    } catch (error) {
      if (signal.aborted || !isConduitError(error)) throw error
      const code = error.code === 'BOOT_TIMEOUT' ? 'BOOT_TIMEOUT' : 'BOOT_FAILED'
      return { kind: 'failed', code, reason: error.message }
    }
  }

  /** `promise`, unless the client takes too long. */
  async #within<T>(socket: ConduitMessageSocket, promise: Promise<T>): Promise<T> {
    const limit = this.#clock.after(PATIENCE_MS, () => socket.destroy())
    limit.unref()
    try {
      return await promise
    } finally {
      limit.cancel()
    }
  }
}
