// Going on through a restart of the store, and of the local hypervisor with it: what was under way is tried again on the
// new connection until the caller's own limit. Nothing else is retried here.
import { isConduitError } from '../errors.js'
import type { ConduitContext } from './context.js'
import { startDeadline } from './deadline.js'

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1000

/**
 * The result of `attempt`, begun again each time the store is lost. `afterOutage` tells it that names may be missing for a
 * while, because their holders are registering them again.
 */
export async function throughOutages<T>(
  context: ConduitContext,
  signal: AbortSignal,
  attempt: (signal: AbortSignal, afterOutage: boolean) => Promise<T>,
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS, round = 0; ; round++) {
    const limit = startDeadline(context.clock, { signal, timeoutMs: 0, onTimeout: neverHappens })
    const stopListening = context.store.onLost((error) => limit.abort(error))
    try {
      return await attempt(limit.signal, round > 0)
    } catch (error) {
      if (signal.aborted || !isOutage(error)) throw error
    } finally {
      stopListening()
      limit.clear()
    }
    await pause(context, pauseMs, signal)
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
  }
}

/** Until the store is back, `pauseMs` have gone, or the signal aborts. */
export function pause(context: ConduitContext, pauseMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      timer.cancel()
      stopListening()
      signal.removeEventListener('abort', end)
      if (signal.aborted) reject(signal.reason)
      else resolve()
    }
    const timer = context.clock.after(pauseMs, end)
    const stopListening = context.store.onReconnect(end)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}

/** Whoever was in the middle of mapping hears of the same death from the substrate, perhaps before the store is missed. */
const isOutage = (error: unknown): boolean =>
  isConduitError(error, 'XENSTORE_DISCONNECTED') || isConduitError(error, 'SUBSTRATE_LOST')

function neverHappens(): never {
  throw new Error('a limit without a timeout has timed out')
}
