// A TCP address that is open while its service is not: takes whoever connects, summons the service, hands the connections over in
// the order of their arrival. How a connection gets there is the handover's.
import type { Duplex } from 'node:stream'
import { formatSocketAddress, type HoldConfig, parseSocketAddress } from '../../../protocol/jitsud-hold-config.js'
import type { Clock } from '../../conduit/clock.js'
import { systemClock } from '../../conduit/clock.js'
import { ConduitError } from '../../errors.js'
import type { Service } from '../summon.js'
import { type ConnectToService, handoverOf } from './choose-handover.js'
import type { Handover } from './handover.js'
import { HeldConnection, resetAndClose } from './held-connection.js'
import type { HoldCounters } from './hold-counters.js'
import { type HoldLogger, ResetLog, silent } from './hold-log.js'
import { resetStream } from './relay.js'
import type { Takers } from './takers.js'
import { TcpAcceptor } from './tcp-acceptor.js'

/** How long a service that is ready may let a client wait. */
const HANDOVER_LIMIT_MS = 10_000

/** What a held address needs beside its configuration and its service. */
export interface HeldAddressOptions {
  /** The service's, for `"handover": "fd"`; one for all addresses of it. */
  readonly takers?: Takers | undefined
  /** For `"handover": "conduit"`; the SDK's `connect` by default. */
  readonly connect?: ConnectToService | undefined
  readonly log?: HoldLogger | undefined
  readonly clock?: Clock | undefined
  /** Milliseconds until a service that is ready must have taken a client; 10,000 by default. */
  readonly handoverLimitMs?: number | undefined
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }
type Events = Mutable<Omit<HoldCounters, 'waiting' | 'keptBytes' | 'relayed'>>

/** A TCP address that jitsud holds for a service. */
export class HeldAddress {
  /** Where clients connect, `ADDR:PORT`, with the port that the kernel chose for port 0. */
  readonly address: string
  readonly #service: Service
  readonly #maxConnections: number
  readonly #handover: Handover
  readonly #acceptor: TcpAcceptor
  readonly #resets: ResetLog
  /** In order of arrival: those whose service is not ready, and those that it has not taken yet. */
  readonly #waiting = new Set<HeldConnection>()
  readonly #underWay = new Set<HeldConnection>()
  /** Waits for the provisioned channel of the instance that boots. */
  #early: HeldConnection | undefined
  readonly #events: Events = { accepted: 0, handedOver: 0, refused: 0, gone: 0, failed: 0, notTaken: 0, outages: 0 }
  #closed = false

  private constructor(config: HoldConfig, service: Service, options: HeldAddressOptions) {
    const { clock = systemClock, log = silent, handoverLimitMs: limitMs = HANDOVER_LIMIT_MS } = options
    this.#service = service
    this.#maxConnections = config.maxConnections
    this.#handover = handoverOf(config, service, { ...options, clock, limitMs })
    this.#acceptor = new TcpAcceptor(parseSocketAddress(config.address)!, {
      clock,
      take: (fd) => this.#accept(fd),
      onTrouble: (error) => {
        this.#events.outages++
        log.warn(
          { service: service.name, address: this.address, reason: error.message, hint: error.hint },
          'clients wait',
        )
      },
    })
    this.address = formatSocketAddress(this.#acceptor.address)
    this.#resets = new ResetLog(log, { service: service.name, address: this.address }, clock)
  }

  /**
   * Resolves when clients can connect.
   * @throws TypeError for `fd` without takers; ConduitError EADDRINUSE, EACCES, EMFILE, SYSTEM
   */
  static async listen(config: HoldConfig, service: Service, options: HeldAddressOptions = {}): Promise<HeldAddress> {
    return new HeldAddress(config, service, options)
  }

  get counters(): HoldCounters {
    const held = [...this.#waiting, ...this.#underWay]
    const keptBytes = held.reduce((sum, connection) => sum + connection.keptBytes, 0)
    return { ...this.#events, waiting: held.length, keptBytes, relayed: this.#handover.relayed }
  }

  /**
   * Give the address up. Clients that the service does not have yet are reset; connections that were handed over go on, also
   * those that are relayed, unless `relayed` says `reset`. Idempotent.
   */
  async close(options: { readonly relayed?: 'keep' | 'reset' } = {}): Promise<void> {
    if (options.relayed === 'reset') this.#handover.reset()
    if (this.#closed) return
    this.#closed = true
    this.#acceptor.close()
    const closed = new ConduitError('ECONNRESET', `${this.address} is held no longer`)
    for (const connection of [...this.#waiting, ...this.#underWay]) this.#fail(connection, closed, 'failed')
    this.#resets.flush()
  }

  #accept(fd: number): void {
    this.#events.accepted++
    if (this.#waiting.size + this.#underWay.size + this.#handover.relayed >= this.#maxConnections) {
      this.#events.refused++
      this.#resets.add(new ConduitError('ECONNREFUSED', `${this.#maxConnections} connections are held already`))
      resetAndClose(fd)
      return
    }
    const connection = new HeldConnection(fd, this.#handover.keepBytes)
    this.#waiting.add(connection)
    void this.#attend(connection)
  }

  /** Never rejects. */
  async #attend(connection: HeldConnection): Promise<void> {
    const { gone } = connection
    gone.addEventListener('abort', () => this.#fail(connection, gone.reason, 'gone'), { once: true })
    try {
      const onStarted = (): void => void this.#handOverEarly()
      await this.#service.summon('hold', { until: 'ready', signal: gone, onStarted })
    } catch (error) {
      this.#fail(connection, error, gone.aborted ? 'gone' : 'failed')
      return
    }
    // Whoever came before is waiting for the same boot, and goes first.
    for (const earlier of this.#waiting) {
      if (!this.#waiting.has(connection)) break
      if (earlier !== this.#early) this.#moveOn(earlier)
    }
  }

  #moveOn(connection: HeldConnection): void {
    this.#waiting.delete(connection)
    this.#underWay.add(connection)
    void this.#handOver(connection)
  }

  /**
   * The first who waits gets the channel that was there before the service ran, without waiting for it to be ready; where that
   * fails, he waits on as everybody does. Never rejects.
   */
  async #handOverEarly(): Promise<void> {
    const [first] = this.#waiting
    const { openChannel } = this.#handover
    if (first === undefined || openChannel === undefined) return
    const channel = this.#service.takeChannel?.()
    if (channel === undefined) return
    this.#early = first
    const use = this.#service.use()
    const stream = await openChannel(channel, first.gone).catch(() => undefined)
    use.release()
    this.#early = undefined
    if (stream === undefined) {
      // By name, then: that says what is wrong.
      if (this.#waiting.has(first) && this.#service.state === 'ready') this.#moveOn(first)
    } else if (this.#waiting.delete(first)) {
      this.#underWay.add(first)
      this.#relay(first, stream)
    } else resetStream(stream)
  }

  #relay(connection: HeldConnection, stream: Duplex): void {
    try {
      this.#handover.relay?.(connection, stream, this.#service)
      this.#underWay.delete(connection)
      this.#events.handedOver++
    } catch (error) {
      this.#fail(connection, error, 'notTaken')
    }
  }

  /** Never rejects. */
  async #handOver(connection: HeldConnection): Promise<void> {
    const use = this.#service.use()
    try {
      await this.#handover.hand(connection, this.#service)
      if (this.#underWay.delete(connection)) this.#events.handedOver++
    } catch (error) {
      this.#fail(connection, error, connection.gone.aborted ? 'gone' : 'notTaken')
    } finally {
      use.release()
    }
  }

  /** Reset it and count that once, whatever else it was waiting for. */
  #fail(connection: HeldConnection, error: unknown, counter: 'gone' | 'failed' | 'notTaken'): void {
    if (!this.#waiting.delete(connection) && !this.#underWay.delete(connection)) return
    this.#events[counter]++
    if (counter !== 'gone') this.#resets.add(error)
    connection.reset()
  }
}
