// Ready some time after the launch, or after a word of its own: for guests that say nothing.
import type { MonotonicClock } from '../monotonic-clock.js'

/** @throws the signal's reason */
export function afterDelay(
  { clock, signal }: { readonly clock: MonotonicClock; readonly signal: AbortSignal },
  delayMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', end)
      if (signal.aborted) reject(signal.reason)
      else resolve()
    }
    const timer = clock.after(delayMs, end)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
