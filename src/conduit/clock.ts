// Time as the rendezvous sees it, so that tests can move it. No other file of conduit/ calls setTimeout.

export interface Timer {
  cancel(): void
  /** Whether the timer keeps the event loop alive; it does at first. */
  unref(): void
}

export interface Clock {
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
