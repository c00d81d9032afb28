// A clock that moves when a test says so.
import type { Clock } from '../../src/conduit/clock.js'

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<{ atMs: number; callback: () => void }>()

  after(delayMs: number, callback: () => void): { cancel(): void; unref(): void } {
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer), unref: () => undefined }
  }

  nowMs(): number {
    return this.#nowMs
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.size
  }

  /** Until the next timer; Infinity when none waits. */
  get nextInMs(): number {
    return Math.min(...[...this.#timers].map(({ atMs }) => atMs - this.#nowMs))
  }

  advance(byMs: number): void {
    this.#nowMs += byMs
    for (const timer of [...this.#timers].sort((a, b) => a.atMs - b.atMs)) {
      if (timer.atMs <= this.#nowMs && this.#timers.delete(timer)) timer.callback()
    }
  }
}
