// What a pool keeps, and what it lives on. Types, and a sum.
import type { Launcher, Prepared } from '../launcher.js'
import type { Logger } from '../logger.js'
import type { MonotonicClock } from '../monotonic-clock.js'

/** An instance that is built. */
export interface Kept {
  readonly prepared: Prepared
  readonly launcher: Launcher
  readonly sinceMs: number
}

export interface PoolSurroundings {
  readonly clock: MonotonicClock
  readonly log: Logger
  /** What is kept has changed: for the state file. */
  onRecord(): void
  /** There may be room, or something to build. */
  onChange(): void
  /** Whether so much more may be kept. */
  fits(bytes: number): boolean
  /** Aborts when jitsud ends: what cannot be taken away at the first attempt is then left. */
  readonly lastChance: AbortSignal
}

/** Of the machine. */
export const bytesOf = (kept: readonly Kept[]): number =>
  kept.reduce((sum, { prepared }) => sum + prepared.memoryBytes, 0)
