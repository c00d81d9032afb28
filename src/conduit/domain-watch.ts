// The store's word that a peer's domain is gone, for connections that no registrar watches over: vchan://DOMID/PORT and the
// flat layout. `xl destroy` clears no live byte and raises no event, and the domain stays a zombie until its pages are
// unmapped here. Domain 0 alone hears of it: a guest's watch is silent, and it may not ask.
import type { Domid } from '../../protocol/xen.js'
import { ConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { XenstoreWatch } from '../xenstore/watch.js'
import type { Background } from './background.js'
import type { Clock } from './clock.js'
import { breakOffWhenDrained, type OpenConnection } from './peer-loss.js'

const RELEASE_DOMAIN = '@releaseDomain'

export class DomainWatch {
  readonly #store: XenstoreClient
  readonly #clock: Clock
  readonly #background: Background
  readonly #open = new Map<Domid, Set<OpenConnection>>()
  #watch: Promise<XenstoreWatch> | undefined

  constructor(store: XenstoreClient, clock: Clock, background: Background) {
    this.#store = store
    this.#clock = clock
    this.#background = background
  }

  /** Break `connection` off once the peer's domain is gone; until the function returned is called. */
  keep(peer: Domid, connection: OpenConnection): () => void {
    // Nobody outlives domain 0, and oxenstored says of it that it was never introduced.
    if (peer === 0) return () => undefined
    const connections = this.#open.get(peer) ?? new Set()
    this.#open.set(peer, connections.add(connection))
    if (this.#watch === undefined) {
      this.#watch = this.#store.watch(RELEASE_DOMAIN, () => this.#background.run(this.#look()))
      this.#background.run(this.#watch)
    }
    return () => {
      connections.delete(connection)
      if (connections.size === 0 && this.#open.get(peer) === connections) this.#open.delete(peer)
      if (this.#open.size === 0) this.#stop()
    }
  }

  #stop(): void {
    const watch = this.#watch
    this.#watch = undefined
    if (watch !== undefined) this.#background.run(watch.then((registered) => registered.close()))
  }

  async #look(): Promise<void> {
    await Promise.all(
      [...this.#open].map(async ([peer, connections]) => {
        // A guest on C xenstored may not ask, and learns nothing here.
        if (await this.#store.isDomainIntroduced(peer).catch(() => true)) return
        const gone = new ConduitError('ECONNRESET', `domain ${peer} is gone`, { domid: peer })
        for (const connection of connections) breakOffWhenDrained(this.#clock, connection, gone)
      }),
    )
  }
}
