// Ends a connection whose purpose was to exist: the peer sees a clean end, and is not waited for.
import { once } from 'node:events'
import type { ConduitSocket } from '../index.js'

/** Resolves when everything of the connection is released. Errors on the way out are nobody's concern any more. */
export async function closePolitely(socket: ConduitSocket): Promise<void> {
  if (socket.closed) return
  const closed = once(socket, 'close')
  socket.on('error', () => undefined)
  if (socket.writableFinished) socket.destroy()
  else socket.end(() => socket.destroy())
  await closed
}
