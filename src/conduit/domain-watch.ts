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

type OnGone = (gone: ConduitError) => void

const RELEASE_DOMAIN = '@releaseDomain'

export class DomainWatch {
  readonly #store: XenstoreClient
  readonly #clock: Clock
  readonly #background: Background
  readonly #waiting = new Map<Domid, Set<OnGone>>()
  #watch: Promise<XenstoreWatch> | undefined

  constructor(store: XenstoreClient, clock: Clock, background: Background) {
    this.#store = store
    this.#clock = clock
    this.#background = background
  }

  /** Break `connection` off once the peer's domain is gone; until the function returned is called. */
  keep(peer: Domid, connection: OpenConnection): () => void {
    return this.onGone(peer, (gone) => breakOffWhenDrained(this.#clock, connection, gone))
  }

  /** Runs once the peer's domain is gone, and again should another one go after it; until the function returned is called. */
  onGone(peer: Domid, listener: OnGone): () => void {
    // Nobody outlives domain 0, and oxenstored says of it that it was never introduced.
    if (peer === 0) return () => undefined
    const listeners = this.#waiting.get(peer) ?? new Set()
    this.#waiting.set(peer, listeners.add(listener))
    if (this.#watch === undefined) {
      this.#watch = this.#store.watch(RELEASE_DOMAIN, () => this.#background.run(this.#look()))
      this.#background.run(this.#watch)
    }
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#waiting.get(peer) === listeners) this.#waiting.delete(peer)
      if (this.#waiting.size === 0) this.#stop()
    }
  }

  #stop(): void {
    const watch = this.#watch
    this.#watch = undefined
    if (watch !== undefined) this.#background.run(watch.then((registered) => registered.close()))
  }

  async #look(): Promise<void> {
    await Promise.all(
      [...this.#waiting].map(async ([peer, listeners]) => {
        // A guest on C xenstored may not ask, and learns nothing here.
        if (await this.#store.isDomainIntroduced(peer).catch(() => true)) return
        const gone = new ConduitError('ECONNRESET', `domain ${peer} is gone`, { domid: peer })
        for (const listener of [...listeners]) listener(gone)
      }),
    )
  }
}
