// Which names there are, and whose.
import { CONDUIT_ROOT, namePath, namesAmong, parseOwner } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'

/** A name that somebody holds. */
export interface NameEntry {
  /** In lower case, without a port: listeners for several ports of a name share its entry. */
  readonly name: string
  /** The domain that holds it. */
  readonly domid: Domid
}

/** Every name, sorted; none where no registrar runs. */
export async function listNames(store: XenstoreClient): Promise<NameEntry[]> {
  const children = await store.directory(CONDUIT_ROOT).catch(nothing)
  const entries = namesAmong(children ?? []).map(async (name) => {
    const text = await store.readText(namePath(name)).catch(nothing)
    const owner = text === undefined ? undefined : parseOwner(text)
    return owner === undefined ? [] : [{ name, domid: owner }]
  })
  return (await Promise.all(entries)).flat().sort((a, b) => (a.name < b.name ? -1 : 1))
}

function nothing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}
