// What lies in /conduit before anybody has a name, made by dom0 alone.
import { randomBytes } from 'node:crypto'
import { CONDUIT_ROOT, FLOWS_ROOT, HOST_ID_PATH } from '../../protocol/conduit.js'
import { domid } from '../../protocol/xen.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'

const READABLE = [{ access: 'r', domid: domid(0) }] as const

/** Idempotent. @throws ConduitError EACCES when this is not dom0 */
export async function makeConduitRoot(store: XenstoreClient): Promise<void> {
  const found = await store.getPermissions(CONDUIT_ROOT).catch(nothingWhenMissing)
  // Whoever opened /conduit to everybody, for the flat layout, did so on purpose.
  const open = found?.[0]?.access === 'b'
  await Promise.all([
    store.mkdir(CONDUIT_ROOT),
    open ? undefined : store.setPermissions(CONDUIT_ROOT, READABLE),
    store.mkdir(FLOWS_ROOT),
    store.setPermissions(FLOWS_ROOT, READABLE),
  ])
  // Empty where what lies below it came first: a name that is kept.
  const hostId = await store.readText(HOST_ID_PATH).catch(nothingWhenMissing)
  if (hostId === undefined || hostId === '') await store.write(HOST_ID_PATH, randomBytes(16).toString('hex'))
  await store.setPermissions(HOST_ID_PATH, READABLE)
}

function nothingWhenMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}
