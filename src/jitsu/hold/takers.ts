// The processes that take connections of one service, and the private socket at which they ask for them. Gives each connection
// to one of them, in order of arrival, in turn.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { HANDOVER_VARIABLE } from '../../../protocol/handover.js'
import { type Clock, systemClock, type Timer } from '../../conduit/clock.js'
import { ConduitError } from '../../errors.js'
import { type NativeFdWatcher, native, PollEvent, systemError } from '../../native.js'
import { MAX_SOCKET_PATH_BYTES, prepareRuntimeDirectory } from '../../substrate/local/runtime-dir.js'
import type { Service } from '../summon.js'
import type { HeldConnection } from './held-connection.js'
import { Offer } from './offer.js'
import { Taker } from './taker.js'

/** Processes of one service that are listened to at a time. */
const MAX_TAKERS = 64
/** How long a process that is out of descriptors gets no more, and how often a launcher is asked what it started. */
const PAUSE_MS = 100

export interface TakersOptions {
  /** This user's own, mode 0700; made where it is missing. */
  readonly directory: string
  readonly clock?: Clock | undefined
}

/** Where the processes of a service ask for connections: a launcher puts it in their environment. */
export function handoverEnvironment(directory: string, service: string): Record<string, string> {
  return { [HANDOVER_VARIABLE]: join(directory, service) }
}

export class Takers {
  readonly path: string
  readonly #service: Service
  readonly #clock: Clock
  readonly #listener: number
  readonly #watcher: NativeFdWatcher
  readonly #queue: Offer[] = []
  /** The next to be given one comes first. */
  #takers: Taker[] = []
  #nextOffer = 0
  #timer: Timer | undefined
  #closed = false

  private constructor(path: string, listener: number, service: Service, clock: Clock) {
    this.path = path
    this.#listener = listener
    this.#service = service
    this.#clock = clock
    this.#watcher = new (native().FdWatcher)(listener, false, () => {
      this.#accept()
      return 0
    })
    this.#watcher.start(PollEvent.READABLE)
  }

  /** @throws ConduitError RUNTIME_DIR, EADDRINUSE when another jitsud listens there, SYSTEM */
  static listen(service: Service, options: TakersOptions): Takers {
    prepareRuntimeDirectory(options.directory)
    const path = join(options.directory, service.name)
    return new Takers(path, listenAt(path), service, options.clock ?? systemClock)
  }

  /** Connections that were taken and are still open, as the processes say. */
  get openConnections(): number {
    return this.#takers.reduce((sum, taker) => sum + taker.openConnections, 0)
  }

  /**
   * Resolves when a process has taken it.
   * @throws ConduitError ETIMEDOUT, ECONNRESET; the reason of the connection's `gone`
   */
  take(connection: HeldConnection, limitMs: number): Promise<void> {
    const offer = new Offer(connection, {
      clock: this.#clock,
      limitMs,
      service: this.#service.name,
      number: this.#nextOffer++,
      onWithdrawn: (withdrawn) => this.#withdraw(withdrawn),
    })
    this.#queue.push(offer)
    this.#dispatch()
    return offer.settled
  }

  /** Processes keep what they took. What still waits is rejected. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#watcher.close()
    native().closeFd(this.#listener)
    rmSync(this.path, { force: true })
    for (const taker of [...this.#takers]) taker.close()
    const closed = new ConduitError('ECONNRESET', `jitsud takes no more connections for ${this.#service.name}`)
    for (const offer of this.#queue.splice(0)) offer.failed(closed)
  }

  #accept(): void {
    try {
      for (let fd = native().unixAccept(this.#listener); fd >= 0; fd = native().unixAccept(this.#listener))
        this.#add(fd)
    } catch {
      // Out of descriptors: they wait in the queue of the socket.
      this.#watcher.start(0)
      this.#later()
    }
  }

  #add(fd: number): void {
    if (this.#takers.length >= MAX_TAKERS) {
      native().closeFd(fd)
      return
    }
    this.#takers.push(
      new Taker(fd, {
        service: this.#service,
        onChange: () => this.#dispatch(),
        onRefused: (taker, offer) => {
          taker.paused = true
          this.#takeBack(offer)
          this.#later()
        },
        onGone: (taker, underWay) => this.#gone(taker, underWay),
      }),
    )
  }

  #gone(taker: Taker, underWay: readonly Offer[]): void {
    this.#takers = this.#takers.filter((each) => each !== taker)
    // It may have read from them: nobody else can have them now.
    const died = new ConduitError(
      'ECONNRESET',
      `the process of ${this.#service.name} that got the connection went away`,
    )
    for (const offer of underWay) offer.failed(died)
  }

  /** Into the place that its arrival gives it. A client that has gone since has no descriptor here any more. */
  #takeBack(offer: Offer): void {
    if (!offer.open) return
    const later = this.#queue.findIndex(({ number }) => number > offer.number)
    this.#queue.splice(later < 0 ? this.#queue.length : later, 0, offer)
  }

  #withdraw(offer: Offer): void {
    const index = this.#queue.indexOf(offer)
    if (index >= 0) this.#queue.splice(index, 1)
  }

  /** Look at every process again, and give away what waits. */
  #dispatch(): void {
    if (this.#closed) return
    let unknown = false
    for (const taker of [...this.#takers]) {
      const { standing } = taker
      if (standing === 'foreign') taker.dismiss()
      else if (standing === 'own') taker.welcome()
      else unknown = true
    }
    while (this.#queue.length > 0) {
      const index = this.#takers.findIndex((each) => each.hasRoom && each.standing === 'own')
      if (index < 0) break
      const [taker] = this.#takers.splice(index, 1)
      this.#takers.push(taker!)
      if (taker!.give(this.#queue[0]!)) this.#queue.shift()
      else {
        taker!.paused = true
        this.#later()
      }
    }
    // Nobody tells when the launcher has started it.
    if (unknown) this.#later()
  }

  #later(): void {
    if (this.#closed || this.#timer !== undefined) return
    this.#timer = this.#clock.after(PAUSE_MS, () => {
      this.#timer = undefined
      for (const taker of this.#takers) taker.paused = false
      this.#watcher.start(PollEvent.READABLE)
      this.#dispatch()
    })
    this.#timer.unref()
  }
}

/** @throws ConduitError EADDRINUSE, RUNTIME_DIR, SYSTEM */
function listenAt(path: string): number {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new ConduitError(
      'RUNTIME_DIR',
      `${path} is too long for a socket: ${MAX_SOCKET_PATH_BYTES} bytes are allowed`,
      {
        hint: 'set CONDUIT_RUNTIME_DIR to a folder of your own with mode 0700 and a shorter path',
      },
    )
  }
  if (answers(path)) {
    throw new ConduitError('EADDRINUSE', `another jitsud hands out connections at ${path}`, {
      hint: 'end it, or give one of them another CONDUIT_RUNTIME_DIR',
    })
  }
  rmSync(path, { force: true })
  try {
    return native().unixListen(path, false)
  } catch (cause) {
    throw systemError(cause, `listen at ${path}`)
  }
}

/** Whether somebody listens: a file that a killed jitsud left does not. */
function answers(path: string): boolean {
  try {
    native().closeFd(native().unixConnect(path))
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EAGAIN'
  }
}
