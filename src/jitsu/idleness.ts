// Whether a running service is used: when it was last asked for, who has it open, what moved. Runs a callback once nobody did
// for as long as the configuration says. A service that nobody ever asked for is not idle: it was started by somebody else.
import type { Timer } from '../conduit/clock.js'
import type { MonotonicClock } from './monotonic-clock.js'
import type { Use } from './summon.js'

export class Idleness {
  readonly #clock: MonotonicClock
  readonly #onIdle: () => void
  #limitMs: number
  #running = false
  #requested = false
  #lastUsedMs = 0
  #open = 0
  #timer: Timer | undefined

  /** `limitMs` 0: never idle. */
  constructor(clock: MonotonicClock, limitMs: number, onIdle: () => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#onIdle = onIdle
  }

  /** Whether anybody ever asked for it. */
  get requested(): boolean {
    return this.#requested
  }

  /** Open uses. */
  get open(): number {
    return this.#open
  }

  setLimit(limitMs: number): void {
    this.#limitMs = limitMs
    this.#disarm()
    this.#arm()
  }

  /** It runs from now on, and is used as of now. */
  start(): void {
    this.#running = true
    this.#lastUsedMs = this.#clock.nowMs()
    this.#arm()
  }

  stop(): void {
    this.#running = false
    this.#disarm()
  }

  /** Somebody asked for it. Cheap. */
  touch(): void {
    this.#requested = true
    this.active()
  }

  /** It is in use, by whoever: that alone makes it nobody's request. */
  active(): void {
    this.#lastUsedMs = this.#clock.nowMs()
    this.rearm()
  }

  use(): Use {
    let held = true
    this.#open++
    this.touch()
    return {
      moved: (bytes) => {
        if (bytes > 0) this.touch()
      },
      release: () => {
        if (!held) return
        held = false
        this.#open--
        this.touch()
      },
    }
  }

  /** Milliseconds until it is idle, if nothing happens; 0 when it is, Infinity when it never will be. */
  remainingMs(): number {
    if (!this.#running || !this.#requested || this.#limitMs === 0) return Number.POSITIVE_INFINITY
    if (this.#open > 0) return this.#limitMs
    return Math.max(0, this.#lastUsedMs + this.#limitMs - this.#clock.nowMs())
  }

  /** Look again when it might be idle. */
  rearm(): void {
    if (this.#timer === undefined) this.#arm()
  }

  #arm(): void {
    const remainingMs = this.remainingMs()
    if (remainingMs === Number.POSITIVE_INFINITY) return
    // Not for each use, of which there may be thousands a second: the timer looks again when it fires.
    this.#timer = this.#clock.after(remainingMs, () => {
      this.#timer = undefined
      if (this.remainingMs() === 0) this.#onIdle()
      else this.#arm()
    })
    this.#timer.unref()
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
