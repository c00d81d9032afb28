// One attempt to reach a TCP address.
import { Socket } from 'node:net'
import { formatSocketAddress, type SocketAddress } from '../../../protocol/jitsud-hold-config.js'
import type { Clock } from '../../conduit/clock.js'
import { startDeadline } from '../../conduit/deadline.js'
import { ConduitError } from '../../errors.js'

/**
 * A guest whose network is not up drops the SYN, and the kernel sends the next one after a second: a new attempt is sooner. The
 * later ones wait longer, for guests that are far away.
 */
const FIRST_ATTEMPT_MS = 250
const LONGEST_ATTEMPT_MS = 4000
/** A guest that was destroyed says nothing any more: when it is asked. */
const KEEP_ALIVE_MS = 60_000

/** @throws Error of node:net; ConduitError ETIMEDOUT after this attempt's time; the signal's reason */
export async function dialTcp(
  address: SocketAddress,
  { clock, signal, number }: { clock: Clock; signal: AbortSignal; number: number },
): Promise<Socket> {
  const timeoutMs = Math.min(LONGEST_ATTEMPT_MS, FIRST_ATTEMPT_MS * 2 ** Math.min(number, 10))
  const onTimeout = () => new ConduitError('ETIMEDOUT', `${formatSocketAddress(address)} did not answer`)
  const limit = startDeadline(clock, { signal, timeoutMs, onTimeout })
  const socket = new Socket({ allowHalfOpen: true })
  try {
    await new Promise<void>((resolve, reject) => {
      limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true })
      socket.once('error', reject)
      socket.connect({ ...address, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, resolve)
    })
    return socket
  } catch (error) {
    socket.once('error', () => undefined)
    socket.destroy()
    throw error
  } finally {
    limit.clear()
  }
}
