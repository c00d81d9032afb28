// One signal out of a caller's signal and a time limit. Knows nothing of what is being waited for.
import type { ConduitError } from '../errors.js'
import type { Clock } from './clock.js'

export interface Deadline {
  /** Aborts with the caller's own reason, or with the error of the time limit. */
  readonly signal: AbortSignal
  /** Abort now, with this reason. */
  abort(reason: unknown): void
  /** Forget timer and listener. Idempotent. */
  clear(): void
}

export interface DeadlineOptions {
  readonly signal?: AbortSignal | undefined
  /** 0 or Infinity: no limit. */
  readonly timeoutMs: number
  readonly onTimeout: () => ConduitError
}

/** @throws the signal's reason when it is aborted already. */
export function startDeadline(clock: Clock, options: DeadlineOptions): Deadline {
  const { signal, timeoutMs } = options
  signal?.throwIfAborted()
  const controller = new AbortController()
  const onAbort = () => controller.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const limited = timeoutMs > 0 && Number.isFinite(timeoutMs)
  const timer = limited ? clock.after(timeoutMs, () => controller.abort(options.onTimeout())) : undefined
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    clear: () => {
      timer?.cancel()
      signal?.removeEventListener('abort', onAbort)
    },
  }
}

/** `promise`, or a rejection with the signal's reason if that comes first. The promise itself goes on. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined)
    return Promise.reject(signal.reason)
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
