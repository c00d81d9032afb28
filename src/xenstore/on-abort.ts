// Listening to an AbortSignal that many requests may share.
import { setMaxListeners } from 'node:events'

/** Call `listener` once when `signal` is aborted from now on. Returns how to stop; without a signal it does nothing. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {}
  // Pipelined requests listen side by side; Node would take more than ten listeners for a leak and warn.
  setMaxListeners(0, signal)
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}
