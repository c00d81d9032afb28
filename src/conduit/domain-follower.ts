// Which domains there are, as dom0's store shows it: tells of each that comes and each that goes.
import { DOMAINS_ROOT, parseDomid } from '../../protocol/conduit.js'
import { type Domid, domid } from '../../protocol/xen.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { XenstoreWatch } from '../xenstore/watch.js'

export interface DomainEvents {
  /** Those that were told of and have not gone. */
  known(): Iterable<Domid>
  /** Called again for a domain that is known already. */
  onIntroduced(id: Domid): Promise<void>
  onReleased(id: Domid): Promise<void>
}

export class DomainFollower {
  readonly #store: XenstoreClient
  readonly #events: DomainEvents
  readonly #watches: XenstoreWatch[] = []
  #syncing: Promise<void> | undefined
  #again = false
  #closed = false

  private constructor(store: XenstoreClient, events: DomainEvents) {
    this.#store = store
    this.#events = events
  }

  /** Resolves when every domain that there is now was told of. */
  static async start(store: XenstoreClient, events: DomainEvents): Promise<DomainFollower> {
    const follower = new DomainFollower(store, events)
    const sync = () => void follower.sync().catch(() => undefined)
    follower.#watches.push(await store.watch('@introduceDomain', sync), await store.watch('@releaseDomain', sync))
    await follower.sync()
    return follower
  }

  /** Single-flight: a burst of introductions is one or two looks at the list of domains. */
  sync(): Promise<void> {
    this.#again = true
    this.#syncing ??= this.#syncUntilSettled().finally(() => {
      this.#syncing = undefined
    })
    return this.#syncing
  }

  /** Resolves when nothing is under way. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([this.#syncing])
    await Promise.allSettled(this.#watches.splice(0).map((watch) => watch.close()))
  }

  async #syncUntilSettled(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      const children = await this.#store.directory(DOMAINS_ROOT).catch(emptyWhenMissing)
      const listed = children.flatMap((child) => parseDomid(child) ?? [])
      // Domain 0 too where no toolstack has made its directory: its programs, and who looks for a registrar, ask there.
      const candidates = [...new Set([domid(0), ...listed, ...this.#events.known()])]
      await Promise.all(candidates.map((candidate) => this.#look(candidate)))
    }
  }

  async #look(candidate: Domid): Promise<void> {
    if (await this.#store.isDomainIntroduced(candidate)) await this.#events.onIntroduced(candidate)
    else await this.#events.onReleased(candidate)
  }
}

function emptyWhenMissing(error: unknown): string[] {
  if (!isConduitError(error, 'ENOENT')) throw error
  return []
}
