// What a service tells systemd about itself (sd_notify(3)): that it is ready, reloads, stops, and is still alive. Nothing
// where nobody listens. How systemd is reached is the addon's part.
import { type Clock, systemClock, type Timer } from '../conduit/clock.js'
import type { Logger } from '../jitsu/logger.js'
import { native } from '../native.js'

/** For ServiceNotices.fromEnvironment(). */
export interface ServiceNoticesOptions {
  readonly log: Logger
  /** Read, and rid of what is for this process alone: what it starts must not speak for it. */
  readonly environment?: NodeJS.ProcessEnv
  readonly clock?: Clock
  /** One datagram; false when it has to be tried again. */
  readonly send?: (socket: string, bytes: Uint8Array) => boolean
}

const MICROS_PER_MILLI = 1000
const NANOS_PER_MICRO = 1000n
/** For a queue that is full: systemd is busy, at boot for longer than usual. */
const RETRY_MS = 50
const ATTEMPTS = 100
/** "Recommended to send at half the interval" (sd_watchdog_enabled(3)). */
const PINGS_PER_INTERVAL = 2

export class ServiceNotices {
  readonly #socket: string | undefined
  readonly #intervalMs: number | undefined
  readonly #log: Logger
  readonly #clock: Clock
  readonly #send: (socket: string, bytes: Uint8Array) => boolean
  #ping: Timer | undefined

  static fromEnvironment(options: ServiceNoticesOptions): ServiceNotices {
    const environment = options.environment ?? process.env
    const { NOTIFY_SOCKET: socket = '', WATCHDOG_USEC: micros = '', WATCHDOG_PID: pid = '' } = environment
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name]
    const watched = /^[1-9][0-9]{0,15}$/.test(micros) && (pid === '' || pid === String(process.pid))
    return new ServiceNotices(socket, watched ? Number(micros) / MICROS_PER_MILLI : undefined, options)
  }

  private constructor(socket: string, intervalMs: number | undefined, options: ServiceNoticesOptions) {
    this.#log = options.log
    this.#clock = options.clock ?? systemClock
    this.#send = options.send ?? ((to, bytes) => native().unixSendTo(to, bytes))
    this.#socket = /^[/@]./.test(socket) ? socket : undefined
    this.#intervalMs = intervalMs
    if (socket !== '' && this.#socket === undefined) {
      this.#log.warn('NOTIFY_SOCKET is neither a path nor @NAME: systemd is not told how jitsud is', { socket })
    }
  }

  /** Serving, for the first time or after {@link reloading}. `status` is for people. Also begins to answer the watchdog. */
  async ready(status: string): Promise<void> {
    await this.#tell(['READY=1', `STATUS=${oneLine(status)}`])
    this.#ping ??= this.#watch()
  }

  /** The configuration is read again; {@link ready} says when that is done. */
  async reloading(): Promise<void> {
    // As Type=notify-reload asks for: the time of CLOCK_MONOTONIC, so that a late answer is told from an early one.
    const micros = process.hrtime.bigint() / NANOS_PER_MICRO
    await this.#tell(['RELOADING=1', `MONOTONIC_USEC=${micros}`])
  }

  /** The last word. */
  async stopping(): Promise<void> {
    this.#ping?.cancel()
    this.#ping = undefined
    await this.#tell(['STOPPING=1'])
  }

  /** Proves that the event loop turns: a timer of it speaks. */
  #watch(): Timer | undefined {
    if (this.#socket === undefined || this.#intervalMs === undefined) return undefined
    const timer = this.#clock.after(this.#intervalMs / PINGS_PER_INTERVAL, () => {
      this.#ping = this.#watch()
      void this.#tell(['WATCHDOG=1'])
    })
    timer.unref()
    return timer
  }

  /** Never rejects: a service manager that cannot be reached is no reason to end. */
  async #tell(lines: readonly string[]): Promise<void> {
    if (this.#socket === undefined) return
    const bytes = Buffer.from(lines.join('\n'))
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        if (this.#send(this.#socket, bytes)) return
        await new Promise<void>((resolve) => this.#clock.after(RETRY_MS, resolve))
      }
      this.#log.warn('systemd takes no messages: it does not know how jitsud is', { lost: lines[0] })
    } catch (error) {
      const { message } = error as Error
      this.#log.warn('systemd cannot be told how jitsud is', { lost: lines[0], error: message })
    }
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ')
