// How a socket ends.
import type { ConduitSocket } from '../../src/vchan/socket.js'

/** Resolves when it is closed, with the error that closed it or undefined. */
export function closeOf(socket: ConduitSocket): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    let failure: Error | undefined
    socket.once('error', (error) => {
      failure = error
    })
    socket.once('close', () => resolve(failure))
  })
}
