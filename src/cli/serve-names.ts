// What conduit-registrar does: a registrar on this machine's xenstore, until it is told to end.
import type { Domid } from '../../protocol/xen.js'
import { untilAborted } from '../conduit/deadline.js'
import { Registrar } from '../conduit/registrar.js'
import { ConduitError, isConduitError } from '../errors.js'
import { XenstoreClient } from '../xenstore/client.js'
import { unixSocketTransport } from '../xenstore/unix-socket-transport.js'
import { xenstoredSocket } from '../xenstore/xenstored-socket.js'
import { Diagnostics } from './diagnostics.js'
import { catchInterruption } from './interruption.js'
import { notifyReady } from './systemd.js'

export interface ServeNamesOptions {
  readonly reserved: ReadonlyMap<string, Domid>
}

/**
 * Never resolves.
 * @throws Interrupted when a signal asks it to end; ConduitError EADDRINUSE, EACCES, ENOENT, ECONNREFUSED, EINVAL
 */
export async function serveNames({ reserved }: ServeNamesOptions): Promise<never> {
  const interrupted = catchInterruption()
  const diagnostics = new Diagnostics(process.stderr, { program: 'conduit-registrar' })
  const socket = xenstoredSocket()
  const store = await untilAborted(XenstoreClient.open(unixSocketTransport(socket)).catch(explained), interrupted)
  store.ref()
  store.onLost(() => diagnostics.say(`the store at ${socket} is gone: waiting for it`))
  store.onReconnect(() => diagnostics.say(`the store at ${socket} is back`))
  let fail: (error: unknown) => void = () => undefined
  const over = new Promise<never>((_, reject) => {
    fail = reject
  })
  over.catch(() => undefined)
  const starting = Registrar.start(store, { reserved, onTakenOver: fail, onFailed: fail }).catch(explained)
  try {
    await untilAborted(starting, interrupted)
    diagnostics.say(`serving names in the store at ${socket}`)
    void notifyReady(diagnostics)
    return await untilAborted(over, interrupted)
  } finally {
    // One that is still starting is waited for: it may have left its mark.
    await starting.then(
      (registrar) => registrar.close(),
      () => undefined,
    )
    await store.close()
  }
}

const HINTS = {
  ENOENT: 'the registrar runs in dom0, beside xenstored: start that first, or set XENSTORED_PATH to its socket',
  ECONNREFUSED: 'nothing listens there any more: start xenstored again',
  EACCES: 'only dom0 may give out names: run it there, as root',
}

/** The same error with what it means for a registrar. */
function explained(error: unknown): never {
  const { code, message, errno, syscall, endpoint } = error as ConduitError
  if (!isConduitError(error) || !(code in HINTS)) throw error
  const hint = HINTS[code as keyof typeof HINTS]
  throw new ConduitError(code, message, { errno, syscall, endpoint, hint, cause: error })
}
