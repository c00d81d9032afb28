// Whether the conduit connections of an instance are in use, as its servers write them down for everybody to read.
import { flowsPath, isConnectionId, isUnlistedNode, parseFlow } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { InstanceDomains } from './instance-domains.js'

export class ServiceFlows {
  readonly #store: XenstoreClient
  readonly #name: string
  readonly #domains: InstanceDomains
  readonly #onActivity: () => void
  readonly #watched = new Set<Domid>()
  readonly #ended = new AbortController()
  readonly #stop: () => void

  /** `onActivity` runs when a connection begins or ends. */
  constructor(
    store: XenstoreClient,
    { name, domains }: { readonly name: string; readonly domains: InstanceDomains },
    onActivity: () => void,
  ) {
    this.#store = store
    this.#name = name
    this.#domains = domains
    this.#onActivity = onActivity
    this.#stop = domains.onChange(() => this.#watchAll())
    this.#watchAll()
  }

  /** Whether a connection is open now. A store that does not answer is no proof that none is. */
  async areOpen(): Promise<boolean> {
    const open = await Promise.all(this.#domains.domids.map((domid) => this.#areOpenAt(domid).catch(() => true)))
    return open.includes(true)
  }

  /** Idempotent. */
  close(): void {
    this.#stop()
    this.#ended.abort()
  }

  #watchAll(): void {
    for (const domid of this.#domains.domids) {
      if (this.#watched.has(domid)) continue
      this.#watched.add(domid)
      let first = true
      const onEvent = (): void => {
        // The event that every watch starts with is nobody's connection.
        if (!first) this.#onActivity()
        first = false
      }
      this.#store.watch(flowsPath(domid), onEvent, { signal: this.#ended.signal }).catch(() => {
        this.#watched.delete(domid)
      })
    }
  }

  async #areOpenAt(domid: Domid): Promise<boolean> {
    const directory = flowsPath(domid)
    const children = await this.#store.directory(directory).catch(noneWhenMissing)
    if (children.some(isUnlistedNode)) return true
    for (const child of children.filter(isConnectionId)) {
      const text = await this.#store.readText(`${directory}/${child}`).catch(nothingWhenMissing)
      if (text !== undefined && parseFlow(text)?.name === this.#name) return true
    }
    return false
  }
}

function noneWhenMissing(error: unknown): string[] {
  nothingWhenMissing(error)
  return []
}

function nothingWhenMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}
