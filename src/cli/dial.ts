// `conduit-cat NAME`: one connection to whoever holds the name, relayed; or with -z only made and ended.
import type { StreamConnectOptions } from '../index.js'
import { type CatSession, carry } from './cat-session.js'
import { closePolitely } from './close-politely.js'
import { formatMillis } from './quantity.js'

/** -w bounds the connecting; --wait alone waits for ever; else the SDK's own limit. */
export function connectOptions({ options, signal }: Pick<CatSession, 'options' | 'signal'>): StreamConnectOptions {
  const { waitMs, waitForName, ringBytes, spinMicros } = options
  const timeoutMs = waitMs ?? (waitForName ? 0 : undefined)
  return { signal, timeoutMs, wait: waitForName, ringBytes, spinMicros, allowHalfOpen: true, pauseOnConnect: true }
}

/** @returns the exit status. @throws ConduitError ENOENT, ECONNREFUSED, ETIMEDOUT, ECONNRESET, …; the signal's reason */
export async function dial(session: CatSession): Promise<number> {
  const { conduit, options } = session
  return carry(session, await conduit.connect(options.address, connectOptions(session)))
}

/** @returns the exit status. @throws ConduitError as {@link dial} */
export async function shakeHands(session: CatSession): Promise<number> {
  const { conduit, options, traffic, diagnostics } = session
  const startMs = performance.now()
  const socket = await conduit.connect(options.address, connectOptions(session))
  const millis = performance.now() - startMs
  traffic.watch(socket)
  diagnostics.tell(`${options.address}: connected to domain ${socket.channel?.peer} in ${formatMillis(millis)}`)
  await closePolitely(socket)
  return 0
}
