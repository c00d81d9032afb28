// Stopping an instance for good: its own mode first, destroy when that fails or takes too long, and destroy again until it is
// gone. Two instances of one service must never run.
import { startDeadline, untilAborted } from '../conduit/deadline.js'
import { ConduitError } from '../errors.js'
import type { Launched, StopMode } from './launcher.js'
import type { MonotonicClock } from './monotonic-clock.js'
import { afterDelay } from './readiness/delay-readiness.js'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

/** What can be stopped. */
export type Stoppable = Pick<Launched, 'ended' | 'stop'>

export interface StopOptions {
  readonly mode: StopMode
  /** For each attempt. */
  readonly limitMs: number
  readonly clock: MonotonicClock
  /** An attempt has failed. */
  onFailure(error: unknown, mode: StopMode): void
  /** Aborts when there is no more time: the attempt under way is the last. */
  readonly lastChance: AbortSignal
}

/**
 * @returns the mode that has stopped it; undefined when it ended by itself
 * @throws what the last attempt failed with, after `lastChance`
 */
export async function stopInstance(launched: Stoppable, options: StopOptions): Promise<StopMode | undefined> {
  const { clock, lastChance } = options
  let over = false
  void launched.ended.then(() => {
    over = true
  })
  let mode = options.mode
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      await stopWithin(launched, mode, options)
      return mode
    } catch (error) {
      if (over) return undefined
      options.onFailure(error, mode)
      if (mode !== 'destroy') {
        mode = 'destroy'
        continue
      }
      if (lastChance.aborted) throw error
    }
    const waited = new AbortController()
    const pause = afterDelay({ clock, signal: AbortSignal.any([waited.signal, lastChance]) }, pauseMs)
    await Promise.race([pause.catch(() => undefined), launched.ended])
    waited.abort()
    if (over) return undefined
  }
}

async function stopWithin(launched: Stoppable, mode: StopMode, { clock, limitMs }: StopOptions): Promise<void> {
  const limit = startDeadline(clock, {
    timeoutMs: limitMs,
    onTimeout: () => new ConduitError('LAUNCHER', `${mode} has not ended it in ${limitMs / 1000} s`),
  })
  try {
    await untilAborted(launched.stop(mode), limit.signal)
  } finally {
    limit.clear()
  }
}
