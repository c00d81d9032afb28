// `conduit-cat -l NAME`: takes one connection, or with -k one after the other, or with -k -e as many as come at once.
import { ConduitError, ConduitSocket } from '../index.js'
import { type CatSession, carry } from './cat-session.js'
import { failureLine, Interrupted, OutputClosed } from './exit-status.js'

/**
 * @returns the exit status: of the one connection; with -k it only ends by an error or a signal.
 * @throws ConduitError EADDRINUSE, EACCES, …, and what broke the one connection; the signal's reason
 */
export async function listen(session: CatSession): Promise<number> {
  const { conduit, options, signal, diagnostics } = session
  const { ringBytes, spinMicros, keep } = options
  const server = conduit.createServer({
    allowHalfOpen: true,
    pauseOnConnect: true,
    ringBytes,
    spinMicros,
    ...(keep ? {} : { maxConnections: 1 }),
  })
  // A socket that waits for its turn may break: carry() finds it destroyed.
  server.on('connection', (socket: ConduitSocket) => socket.on('error', () => undefined))
  const sockets = server[Symbol.asyncIterator]()
  let failure: { readonly error: unknown } | undefined
  const fail = (error: unknown): void => {
    failure ??= { error }
    void sockets.return?.()
  }
  server.on('error', fail)
  await server.listen(options.address, { signal })
  diagnostics.tell(`listening on ${options.address}`)
  for await (const socket of sockets) {
    if (!(socket instanceof ConduitSocket)) continue
    if (!keep) {
      // As nc: nobody else is let in, and the name is free again when this one has ended.
      void server.close()
      return carry(session, socket)
    }
    const carried = carryOneOfMany(session, socket)
    if (options.command === undefined) await carried
    else carried.catch(fail)
  }
  signal.throwIfAborted()
  throw failure?.error ?? new ConduitError('ECONNRESET', `listening on ${options.address}: the server was closed`)
}

/** A connection that breaks costs its line on stderr; what concerns the program itself goes on to the caller. */
async function carryOneOfMany(session: CatSession, socket: ConduitSocket): Promise<void> {
  if (socket.destroyed) return
  try {
    await carry(session, socket)
  } catch (error) {
    if (error instanceof Interrupted || error instanceof OutputClosed) throw error
    const line = failureLine(error)
    if (line !== undefined) session.diagnostics.say(line)
  }
}
