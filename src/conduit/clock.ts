// Time as the rendezvous sees it, so that tests can move it. No other file of conduit/ calls setTimeout.

/** A delay that is running. */
export interface Timer {
  /** After this the callback does not run any more. */
  cancel(): void
  /** Whether the timer keeps the event loop alive; it does at first. */
  unref(): void
}

/** Where limits and pauses of the rendezvous come from: timers, or in a test a clock that is moved by hand. */
export interface Clock {
  /** Runs `callback` once, `delayMs` milliseconds from now. Never within the call. */
  after(delayMs: number, callback: () => void): Timer
}

export const systemClock: Clock = {
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs)
    return {
      cancel: () => clearTimeout(handle),
      unref: () => void handle.unref(),
    }
  },
}
