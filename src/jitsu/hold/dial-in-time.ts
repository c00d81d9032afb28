// Reaches a service that said it is ready and may not accept yet: tries again until it does or the time is over. How it is
// reached is the caller's.
import type { Duplex } from 'node:stream'
import type { Clock } from '../../conduit/clock.js'
import { startDeadline, untilAborted } from '../../conduit/deadline.js'
import { ConduitError } from '../../errors.js'

/** Pauses double from the first to the longest. */
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 100

/** Of a service on its way up; and of this process, whose descriptors may come back. */
const PASSING = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ETIMEDOUT', 'ENOENT'],
  ...['EMFILE', 'ENFILE', 'ENOBUFS', 'EAGAIN', 'XENSTORE_DISCONNECTED', 'SUBSTRATE_LOST'],
])

export interface DialOptions {
  readonly clock: Clock
  /** Milliseconds for all attempts. */
  readonly limitMs: number
  readonly signal: AbortSignal
  /** The service, for messages. */
  readonly target: string
  /** One attempt; it ends by itself, and with the signal. `number` counts from 0. */
  attempt(signal: AbortSignal, number: number): Promise<Duplex>
}

/** @throws ConduitError ETIMEDOUT with the last failure as its cause; a failure that does not pass; the signal's reason */
export async function dialInTime(options: DialOptions): Promise<Duplex> {
  const { clock, limitMs, target } = options
  let last: unknown
  const deadline = startDeadline(clock, {
    signal: options.signal,
    timeoutMs: limitMs,
    onTimeout: () =>
      new ConduitError('ETIMEDOUT', `${target} took no connection for ${limitMs} ms after it was ready`, {
        endpoint: target,
        hint: 'is that where the service listens? Its `ready` may come too early',
        cause: last,
      }),
  })
  try {
    for (let number = 0; ; number++) {
      try {
        return await options.attempt(deadline.signal, number)
      } catch (error) {
        deadline.signal.throwIfAborted()
        if (!PASSING.has((error as NodeJS.ErrnoException).code ?? '')) throw error
        last = error
      }
      await pause(clock, Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(number, 10)), deadline.signal)
    }
  } finally {
    deadline.clear()
  }
}

async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  let stop = () => {}
  const over = new Promise<void>((resolve) => {
    const timer = clock.after(delayMs, resolve)
    stop = () => timer.cancel()
  })
  await untilAborted(over, signal).finally(() => stop())
}
