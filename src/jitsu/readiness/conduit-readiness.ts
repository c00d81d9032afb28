// Ready when the instance itself holds the service's conduit name: a server registers it once it can take connections. Who
// else may hold it is the registrar's business.
import { namePath, parseOwner } from '../../../protocol/conduit.js'
import type { Domid } from '../../../protocol/xen.js'
import { isConduitError } from '../../errors.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { ReadinessContext } from './readiness.js'
import { untilStoreShows } from './store-watch.js'

/** Who holds a name. */
export async function holderOf(store: XenstoreClient, name: string): Promise<Domid | undefined> {
  const text = await store.readText(namePath(name)).catch((error: unknown) => {
    if (!isConduitError(error, 'ENOENT')) throw error
    return undefined
  })
  return text === undefined ? undefined : parseOwner(text)
}

/** @throws the signal's reason */
export function nameRegistered({ service, domains, store, signal, alive, missing }: ReadinessContext): Promise<void> {
  missing(`it has not listened on the conduit name ${service}`)
  return untilStoreShows(store, {
    path: namePath(service),
    signal,
    look: async () => {
      const holder = await holderOf(store, service)
      if (holder === undefined) return false
      if (domains.domids.includes(holder)) {
        alive()
        return true
      }
      missing(`domain ${holder} holds the conduit name ${service}, and is not of this service`)
      return false
    },
    // The name may be seen before the domain is.
    onOther: (look) => domains.onChange(look),
  })
}
