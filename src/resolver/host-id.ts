// Which physical host this is: what its registrar wrote into the store. Two programs that read the same there can share pages.
import { HOST_ID_PATH } from '../../protocol/conduit-paths.js'
import { untilAborted } from '../conduit/deadline.js'
import { isConduitError } from '../errors.js'
import { XenstoreClient } from '../xenstore/client.js'
import type { OpenXenstoreTransport } from '../xenstore/transport.js'

const HOST_ID = /^[0-9a-f]{32}$/

/**
 * The identity, or undefined where no store answers or no registrar has been.
 * @throws ConduitError EACCES, XENSTORE_DISCONNECTED, …; the signal's reason
 */
export async function readHostId(open: OpenXenstoreTransport, signal: AbortSignal): Promise<string | undefined> {
  const opening = XenstoreClient.open(open, { reconnect: false })
  try {
    const store = await untilAborted(opening, signal)
    store.ref()
    const text = await untilAborted(store.readText(HOST_ID_PATH), signal)
    return HOST_ID.test(text) ? text : undefined
  } catch (error) {
    if (isConduitError(error, 'ENOENT') || isConduitError(error, 'ECONNREFUSED')) return undefined
    throw error
  } finally {
    // Also when it opens after nobody waits for it any more.
    opening.then((store) => store.close()).catch(() => undefined)
  }
}
