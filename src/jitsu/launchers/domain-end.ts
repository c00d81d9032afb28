// The end of a Xen domain as the store tells it: @releaseDomain is fired for every domain that has ended or is destroyed, by whomever.
import type { Domid } from '../../../protocol/xen.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import { untilStoreShows } from '../readiness/store-watch.js'

export interface DomainEndQuestion {
  readonly store: XenstoreClient
  readonly domid: Domid
  /** Aborts when nobody looks any more: the answer then never comes. */
  readonly signal: AbortSignal
  /** How it has ended; undefined while it has not. Asked once at a time. */
  look(): Promise<string | undefined>
}

/** How it has ended, once it has. Never rejects. */
export async function domainEnd({ store, domid, signal, look }: DomainEndQuestion): Promise<string> {
  let how: string | undefined
  try {
    await untilStoreShows(store, {
      path: '@releaseDomain',
      signal,
      look: async () => {
        how = await look()
        return how !== undefined
      },
    })
    return how!
  } catch (error) {
    if (!signal.aborted) return `domain ${domid} cannot be watched: ${(error as Error).message}`
    return new Promise<string>(() => undefined)
  }
}
