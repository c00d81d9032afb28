// The two keys by which a client finds a vchan: published by the server under its own data/vchan, read and distrusted by
// the client. What the client maps with them is vchan's business.
import {
  EVENT_CHANNEL_KEY,
  PROVISIONED_KEY,
  parseEventChannel,
  parseRingRef,
  RING_REF_KEY,
} from '../../protocol/conduit.js'
import type { Domid, EvtchnPort, Gref } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { RequestOptions, XenstoreClient } from '../xenstore/client.js'

export interface VchanKeys {
  readonly ringRef: Gref
  readonly port: EvtchnPort
}

export interface Publication extends VchanKeys {
  /** The directory of the two keys. */
  readonly path: string
  readonly server: Domid
  readonly client: Domid
}

const leaves = (path: string) => [`${path}/${RING_REF_KEY}`, `${path}/${EVENT_CHANNEL_KEY}`] as const

/**
 * Issue the writes without waiting. Nobody may look before something else says so: in a request by name that is the
 * entry's `accepted`, written next on the same connection. That spares a transaction, of which a guest has ten.
 */
export function publishKeys(store: XenstoreClient, keys: Publication, options?: RequestOptions): Promise<unknown> {
  const [ringRef, eventChannel] = leaves(keys.path)
  const readable = [{ access: 'r', domid: keys.client }] as const
  const rights = [{ access: 'n', domid: keys.server } as const, ...(keys.client === keys.server ? [] : readable)]
  return Promise.all([
    store.write(ringRef, String(keys.ringRef), options),
    store.setPermissions(ringRef, rights, options),
    store.write(eventChannel, String(keys.port), options),
    store.setPermissions(eventChannel, rights, options),
  ])
}

/**
 * The keys at `path`, or undefined when there are none.
 * @throws ConduitError CONDUIT_PROTOCOL when they are no numbers in range, EACCES when somebody else than `server` made them.
 */
export async function readKeys(store: XenstoreClient, path: string, server: Domid): Promise<VchanKeys | undefined> {
  const [ringRefPath, portPath] = leaves(path)
  const found = await Promise.all([
    store.readText(ringRefPath),
    store.readText(portPath),
    store.getPermissions(ringRefPath),
    store.getPermissions(portPath),
  ]).catch(undefinedWhenMissing)
  if (found === undefined) return undefined
  const [ringRefText, portText, ...permissions] = found
  if (permissions.some((list) => list[0]?.domid !== server)) {
    throw new ConduitError('EACCES', `the keys at ${path} do not belong to domain ${server}`, {
      endpoint: path,
      domid: server,
      hint: 'another domain planted them: look at the permissions with xenstore-ls -p',
    })
  }
  const ringRef = parseRingRef(ringRefText)
  const port = parseEventChannel(portText)
  if (ringRef !== undefined && port !== undefined) return { ringRef, port }
  const [what, text] = ringRef === undefined ? [RING_REF_KEY, ringRefText] : [EVENT_CHANNEL_KEY, portText]
  throw new ConduitError('CONDUIT_PROTOCOL', `${path}/${what} holds ${JSON.stringify(text.slice(0, 32))}`, {
    endpoint: path,
    domid: server,
    hint: 'the server wrote no decimal number in range: it is broken or hostile',
  })
}

/**
 * Whether the keys at `path` were written before their server ran.
 * @throws ConduitError CONDUIT_PROTOCOL for a mark that is none
 */
export async function areProvisioned(store: XenstoreClient, path: string, server: Domid): Promise<boolean> {
  const text = await store.readText(`${path}/${PROVISIONED_KEY}`).catch(undefinedWhenMissing)
  if (text === undefined || text === '1') return text !== undefined
  throw new ConduitError('CONDUIT_PROTOCOL', `${path}/${PROVISIONED_KEY} holds ${JSON.stringify(text.slice(0, 32))}`, {
    endpoint: path,
    domid: server,
    hint: 'a toolstack writes 1 there: this one is of another version, or the domain itself wrote it',
  })
}

/** The keys of a provisioned channel that has its one client: gone, unless the server has published others meanwhile. */
export async function removeTaken(store: XenstoreClient, path: string, taken: VchanKeys): Promise<void> {
  await store.transaction(async (transaction) => {
    const texts = await Promise.all(leaves(path).map((leaf) => store.readText(leaf, { transaction })))
    const [ringRef, port] = [parseRingRef(texts[0]!), parseEventChannel(texts[1]!)]
    if (ringRef === taken.ringRef && port === taken.port) await store.remove(path, { transaction })
  })
}

/** Whether or not they are there. */
export async function removeKeys(store: XenstoreClient, path: string): Promise<void> {
  await store.remove(path).catch((error: unknown) => {
    if (!isConduitError(error, 'ENOENT')) throw error
  })
}

/** Remove `path`, a directory that holds keys of others beside ours, if nothing is left in it. */
export async function removeIfEmpty(store: XenstoreClient, path: string): Promise<void> {
  await store.transaction(async (transaction) => {
    const children = await store.directory(path, { transaction })
    if (children.length === 0) await store.remove(path, { transaction })
  })
}

/** A node that is not there, or under a directory that is closed to us: both daemons answer EACCES for the latter. */
function undefinedWhenMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT') && !isConduitError(error, 'EACCES')) throw error
}
