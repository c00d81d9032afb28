// All pools of a directory: they share one bound of memory, and one instance is built at a time, while nothing is summoned. Who
// has the fewest comes first.

import type { ServiceConfig } from '../../../protocol/jitsud-service-config.js'
import type { PreparedRecord } from '../../../protocol/jitsud-state.js'
import type { Timer } from '../../conduit/clock.js'
import type { Launcher } from '../launcher.js'
import type { Logger } from '../logger.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { WarmPool } from './warm-pool.js'

/** What is ready has its first exchange before the machine builds again. */
export const QUIET_MS = 250
const MIB = 2 ** 20

export interface WarmPoolsOptions {
  readonly clock: MonotonicClock
  readonly log: Logger
  /** Of all instances together. */
  readonly maxBytes: number
  /** What is kept has changed: for the state file. */
  onRecord(): void
}

export class WarmPools {
  readonly #options: WarmPoolsOptions
  readonly #pools = new Set<WarmPool>()
  readonly #lastChance = new AbortController()
  #maxBytes: number
  #holds = 0
  #quietUntilMs = Number.NEGATIVE_INFINITY
  #building = false
  #timer: Timer | undefined

  constructor(options: WarmPoolsOptions) {
    this.#options = options
    this.#maxBytes = options.maxBytes
  }

  /** Of a service, with what an earlier process had prepared. */
  open(config: ServiceConfig, launcher: Launcher, leftovers: readonly PreparedRecord[]): WarmPool {
    const { clock, log, onRecord } = this.#options
    const around = {
      clock,
      log,
      onRecord,
      onChange: () => this.#next(),
      fits: (bytes: number) => this.#usedBytes + bytes <= this.#maxBytes,
      lastChance: this.#lastChance.signal,
    }
    const pool = new WarmPool(around, config, launcher, leftovers)
    this.#pools.add(pool)
    return pool
  }

  /** One that rests, of a service that is gone. */
  forget(pool: WarmPool): void {
    this.#pools.delete(pool)
  }

  /** Nothing is built until the function returned is called, once. */
  hold(): () => void {
    this.#holds++
    return () => {
      this.#holds--
      this.#next()
    }
  }

  /** As {@link hold}, for a summon. */
  summoning(): () => void {
    const release = this.hold()
    return () => {
      this.#quietUntilMs = this.#options.clock.nowMs() + QUIET_MS
      release()
    }
  }

  /** Another bound: what is over it goes, from those who have the most. */
  limit(maxBytes: number): void {
    this.#maxBytes = maxBytes
    let overBytes = [...this.#pools].reduce((sum, { readyBytes }) => sum + readyBytes, 0) - maxBytes
    while (overBytes > 0) {
      const [largest] = [...this.#pools].sort((a, b) => b.size - a.size)
      overBytes -= (largest as WarmPool).shrink()
    }
    this.#next()
  }

  /** Resolves when all that is kept is gone, or cannot be got rid of. No refills any more. */
  async close(): Promise<void> {
    this.#holds = Number.POSITIVE_INFINITY
    this.#timer?.cancel()
    this.#lastChance.abort()
    for (const pool of this.#pools) pool.rest()
    await Promise.all([...this.#pools].map((pool) => pool.emptied()))
  }

  get #usedBytes(): number {
    return [...this.#pools].reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  }

  #next(): void {
    if (this.#building || this.#holds > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
    const lacking = [...this.#pools].filter(({ lacks }) => lacks).sort((a, b) => a.size - b.size)
    const quietMs = this.#quietUntilMs - this.#options.clock.nowMs()
    const pool = quietMs > 0 ? undefined : this.#chosen(lacking)
    if (pool === undefined) this.#lookAgain(lacking, quietMs)
    else this.#build(pool)
  }

  /** The first that may have one now. Room for those who wait out a pause before it is kept. */
  #chosen(lacking: readonly WarmPool[]): WarmPool | undefined {
    let keptBytes = 0
    for (const pool of lacking) {
      if (pool.pauseMs > 0) keptBytes += pool.bytesOfNext
      else if (this.#hasRoom(pool, keptBytes)) return pool
    }
    return undefined
  }

  /** Once the first pause is over. */
  #lookAgain(lacking: readonly WarmPool[], quietMs: number): void {
    const waits = lacking.map(({ pauseMs }) => Math.max(pauseMs, quietMs)).filter((waitMs) => waitMs > 0)
    if (waits.length === 0) return
    this.#timer = this.#options.clock.after(Math.min(...waits), () => this.#next())
    this.#timer.unref()
  }

  #hasRoom(pool: WarmPool, keptBytes: number): boolean {
    const fits = this.#usedBytes + keptBytes + pool.bytesOfNext <= this.#maxBytes
    if (fits) pool.short(undefined)
    else if (![...this.#pools].some(({ shrinking }) => shrinking)) {
      pool.short(`pool.maxMemory, ${Math.floor(this.#maxBytes / MIB)} MiB, has no room for more`)
    }
    return fits
  }

  #build(pool: WarmPool): void {
    this.#building = true
    void pool.refill().then(() => {
      this.#building = false
      this.#next()
    })
  }
}
