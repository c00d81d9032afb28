// Time as jitsud measures it: it only goes forward, whatever becomes of the wall clock.
import { type Clock, systemClock } from '../conduit/clock.js'

/** A clock that also tells the time. */
export interface MonotonicClock extends Clock {
  /** Milliseconds since some moment. */
  nowMs(): number
}

export const monotonicClock: MonotonicClock = { ...systemClock, nowMs: () => performance.now() }
