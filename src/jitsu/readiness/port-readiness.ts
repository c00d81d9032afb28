// Ready when something accepts TCP connections at an address. Whatever it is says nothing, and hears nothing but a hang-up.
import { connect } from 'node:net'
import { formatSocketAddress, type SocketAddress } from '../../../protocol/jitsud-hold-config.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { afterDelay } from './delay-readiness.js'
import type { ReadinessContext } from './readiness.js'

/** Between attempts: a share of the time that it took so far, so that what the asking adds to a boot is a share of it too. */
const PAUSE_SHARE = 1 / 40
/** Asking every millisecond takes the CPU from the very program that boots: 27 ms instead of 9 on two cores (docs/jitsud.md). */
const SHORTEST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 250
/** A guest without an address yet drops the SYN: asking again is faster than the kernel's own second. */
export const ATTEMPT_MS = 500

/** @throws the signal's reason */
export async function portAccepts(context: ReadinessContext, address: SocketAddress): Promise<void> {
  context.missing(`nothing accepts connections at ${formatSocketAddress(address)}`)
  const { clock } = context
  const startMs = clock.nowMs()
  while (!(await accepts(address, context))) {
    const pauseMs = (clock.nowMs() - startMs) * PAUSE_SHARE
    await afterDelay(context, Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, pauseMs)))
  }
  context.alive()
}

/** Whether something accepts there now. @throws the signal's reason */
export function accepts(
  { host, port }: SocketAddress,
  { clock, signal }: { readonly clock: MonotonicClock; readonly signal: AbortSignal },
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const socket = connect({ host, port })
    const end = (accepted: boolean): void => {
      limit.cancel()
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      if (signal.aborted) reject(signal.reason)
      else resolve(accepted)
    }
    const onAbort = (): void => end(false)
    const limit = clock.after(ATTEMPT_MS, onAbort)
    signal.addEventListener('abort', onAbort)
    socket.once('connect', () => end(true))
    socket.on('error', () => end(false))
  })
}
