// The store for looking around, with dom0's eyes where this process may have them: the store's own socket. A domain sees
// the names and no more than its own connections. Starts no local hypervisor: where none runs, there is nothing to see.
import { join } from 'node:path'
import { XENSTORE_SOCKET_NAME } from '../../protocol/local-control.js'
import { untilAborted } from '../conduit/deadline.js'
import { listFlows, listUnlisted } from '../conduit/flows.js'
import { listNames } from '../conduit/names.js'
import { listServiceStates, type ServiceStateEntry } from '../conduit/service-states.js'
import { ConduitError, type Flow, isConduitError, type NameEntry, type UnlistedFlows } from '../index.js'
import { native } from '../native.js'
import { hasRuntimeDirectory, runtimeDirectory } from '../substrate/local/runtime-dir.js'
import { selectBackend } from '../substrate/select.js'
import { xenStore } from '../substrate/xen/store-path.js'
import { XenstoreClient } from '../xenstore/client.js'
import { unixSocketTransport } from '../xenstore/unix-socket-transport.js'

/** What there is to list. */
export interface StoreView {
  readonly names: readonly NameEntry[]
  readonly flows: readonly Flow[]
  /** jitsud's, running or not. */
  readonly services: readonly ServiceStateEntry[]
  /** Connections that have no line in the table, counted by their servers. */
  readonly unlisted: readonly UnlistedFlows[]
}

/** A store that has not answered by then is stopped or hangs. */
const LOOK_TIMEOUT_MS = 3000

const NOBODY: StoreView = { names: [], flows: [], services: [], unlisted: [] }

/**
 * A connection to the local store, or undefined when no hypervisor runs. Close it.
 * @throws ConduitError RUNTIME_DIR: a store that another user put there would be believed
 */
export async function openLocalStore(directory: string = runtimeDirectory()): Promise<XenstoreClient | undefined> {
  if (!hasRuntimeDirectory(directory)) return undefined
  const open = unixSocketTransport(join(directory, XENSTORE_SOCKET_NAME))
  try {
    const opened = XenstoreClient.open(open, { reconnect: false })
    return await untilAborted(opened, AbortSignal.timeout(LOOK_TIMEOUT_MS))
  } catch (error) {
    if (isConduitError(error, 'ENOENT') || isConduitError(error, 'ECONNREFUSED')) return undefined
    throw error
  }
}

/** @throws ConduitError SUBSTRATE_UNAVAILABLE, RUNTIME_DIR, EACCES, EINVAL, XENSTORE_DISCONNECTED */
export async function viewStore(): Promise<StoreView> {
  const store = selectBackend() === 'local' ? await openLocalStore() : await openXenStore()
  if (store === undefined) return NOBODY
  store.ref()
  try {
    return await untilAborted(readView(store), AbortSignal.timeout(LOOK_TIMEOUT_MS)).catch(explainTimeout)
  } finally {
    store.unref()
    await store.close()
  }
}

/** @throws ConduitError ENOENT, EACCES, SUBSTRATE_UNAVAILABLE when there is none */
function openXenStore(): Promise<XenstoreClient> {
  const opened = XenstoreClient.open(xenStore(native), { reconnect: false })
  return untilAborted(opened, AbortSignal.timeout(LOOK_TIMEOUT_MS)).catch(explainTimeout)
}

function explainTimeout(error: unknown): never {
  if ((error as Error).name !== 'TimeoutError') throw error
  throw new ConduitError('ETIMEDOUT', `the store has not answered for ${LOOK_TIMEOUT_MS} ms`, {
    hint: 'the local hypervisor, or xenstored in dom0, is stopped or hangs: continue or end that process',
  })
}

export async function readView(store: XenstoreClient): Promise<StoreView> {
  const [names, flows, services, unlisted] = await Promise.all([
    listNames(store),
    listFlows(store),
    listServiceStates(store),
    listUnlisted(store),
  ])
  return { names, flows, services, unlisted }
}
