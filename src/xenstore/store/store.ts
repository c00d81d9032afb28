// The embedded xenstore daemon: tree, rules and connections in memory, no I/O of its own. Serves the local hypervisor,
// the in-process substrate and tests; behaves as C xenstored does unless a file here says otherwise.
import type { Domid } from '../../../protocol/xen.js'
import { domainPath } from '../../../protocol/xenstore-paths.js'
import type { XenstoreTransport } from '../transport.js'
import { inProcessTransport } from './in-process-transport.js'
import { DEFAULT_STORE_QUOTAS, type StoreQuotas } from './quotas.js'
import { StoreConnection, type StorePeer } from './store-connection.js'
import { StoreCore } from './store-core.js'

export interface EmbeddedStoreOptions {
  /** Limits for every domain but 0; C xenstored's where left out. */
  readonly quotas?: Partial<StoreQuotas>
}

/**
 * A xenstore in this process.
 *
 * Everything is synchronous: a request has its full effect, watches included, before {@link StoreConnection.receive}
 * returns. Nothing that a client sends makes it throw.
 */
export class EmbeddedStore {
  readonly #core: StoreCore

  constructor(options: EmbeddedStoreOptions = {}) {
    this.#core = new StoreCore({ ...DEFAULT_STORE_QUOTAS, ...options.quotas })
  }

  /** A wire connection with `domid`'s rights; domain 0 has all. */
  connect(domid: Domid, peer: StorePeer): StoreConnection {
    return new StoreConnection(this.#core, domid, peer)
  }

  /** A wire connection with `domid`'s rights for a client in this process. */
  transport(domid: Domid): XenstoreTransport {
    return inProcessTransport((peer) => this.connect(domid, peer))
  }

  /**
   * Make a domain known: `/local/domain/<domid>` (`n0,r<domid>`) with `domid`, and `data` owned by it, then
   * `@introduceDomain`. Does nothing for a domain that was introduced already, and makes only the nodes for domain 0.
   * @param more values of nodes beside `domid`, for domain 0 alone to read
   */
  introduceDomain(domid: Domid, more: Readonly<Record<string, string>> = {}): void {
    if (domid !== 0 && this.#core.domains.find(domid)?.introduced === true) return
    this.#core.makeDomainNodes(domid, more)
    this.#core.introduce(domid)
  }

  /**
   * A domain is gone: its connections end, each node it owns goes with all below it, `/local/domain/<domid>` too, its
   * number in permission lists means nobody, and `@releaseDomain` fires.
   */
  domainDied(domid: Domid): void {
    this.#core.release(domid, [domainPath(domid)])
  }

  /** Open connections, of all domains. */
  get connections(): number {
    return this.#core.connections.size
  }

  /** Nodes that a domain owns, which is what its quota counts. */
  nodesOwnedBy(domid: Domid): number {
    return this.#core.tree.ownedBy(domid)
  }

  /** End every connection. */
  close(): void {
    for (const connection of this.#core.connections) connection.destroy()
  }
}
