// What every connection of one `conduit-cat` shares, and what is done with a connection once it stands: relayed, or
// handed to a command, while it is counted.
import type { Conduit, ConduitSocket } from '../index.js'
import type { CatOptions } from './cat-options.js'
import type { Diagnostics } from './diagnostics.js'
import { execOn } from './exec.js'
import { formatBytes } from './quantity.js'
import { relay } from './relay.js'
import { type LocalEnd, openStandardStreams } from './standard-streams.js'
import type { Traffic } from './traffic.js'

export interface CatSession {
  readonly conduit: Conduit
  readonly options: CatOptions
  readonly diagnostics: Diagnostics
  readonly traffic: Traffic
  /** Aborts with an Interrupted. */
  readonly signal: AbortSignal
  /** stdin and stdout, opened by whoever needs them first. */
  readonly local: () => LocalEnd
}

/** Open the standard streams at the first call only. */
export function lazyStandardStreams(): () => LocalEnd {
  let opened: LocalEnd | undefined
  return () => {
    opened ??= openStandardStreams()
    return opened
  }
}

/**
 * Relay the connection until it has ended; resolves with an exit status: the command's, else 0.
 * @throws ConduitError ECONNRESET, EPIPE, ETIMEDOUT, …; OutputClosed; the signal's reason
 */
export async function carry(session: CatSession, socket: ConduitSocket): Promise<number> {
  const { options, diagnostics, signal } = session
  const { waitMs: idleMs, command } = options
  const peer = `domain ${socket.channel?.peer}`
  const sizes = `rings of ${formatBytes(socket.channel?.readRingBytes ?? 0)} in, ${formatBytes(socket.channel?.writeRingBytes ?? 0)} out`
  diagnostics.tell(options.listen ? `connection from ${peer}: ${sizes}` : `connected to ${peer}: ${sizes}`)
  session.traffic.watch(socket)
  // It may break before anybody relays it, who then finds it destroyed.
  socket.on('error', () => undefined)
  const status =
    command === undefined
      ? await relay(socket, session.local(), { signal, idleMs, keepLocal: options.keep }).then(() => 0)
      : await execOn(socket, { command, name: nameOf(options.address), signal, idleMs })
  diagnostics.tell(
    `connection with ${peer} has ended: ${formatBytes(socket.bytesRead)} in, ${formatBytes(socket.bytesWritten)} out`,
  )
  return status
}

/** `web` of `web:http`; a vchan://DOMID/PORT as it is. */
const nameOf = (address: string): string => (address.includes('://') ? address : address.replace(/:.*$/, ''))
