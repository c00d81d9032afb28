// One domain of the in-process hypervisor: the substrate contract over its tables.
import type { Domid, EvtchnPort, Gref } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import type { XenstoreTransport } from '../../xenstore/transport.js'
import type {
  EventChannel,
  GrantBudget,
  MapOptions,
  Mapping,
  Share,
  ShareOptions,
  Substrate,
  UnmapNotify,
} from '../substrate.js'
import type { Faults } from './faults.js'
import type { GrantTable, PortNotify } from './grant-table.js'
import type { PortTable } from './port-table.js'

export interface Hypervisor {
  readonly grants: GrantTable
  readonly ports: PortTable
  readonly faults: Faults
  readonly openXenstore: ((domid: Domid) => XenstoreTransport | Promise<XenstoreTransport>) | undefined
  readonly onGone: () => void
}

export class MemoryDomain implements Substrate {
  readonly kind = 'memory'
  readonly domid: Domid
  readonly #hypervisor: Hypervisor
  readonly #transports = new Set<XenstoreTransport>()
  #gone = false

  constructor(domid: Domid, hypervisor: Hypervisor) {
    this.domid = domid
    this.#hypervisor = hypervisor
  }

  get grantBudget(): GrantBudget {
    return this.#hypervisor.grants.budgetOf(this.domid)
  }

  async share(peer: Domid, pages: number, options: ShareOptions = {}): Promise<Share> {
    this.#enter('share')
    const onUnmap = await this.#atHand(options.onUnmap)
    return this.#hypervisor.grants.share(this.domid, peer, pages, { ...options, onUnmap })
  }

  async map(peer: Domid, grefs: readonly Gref[], options: MapOptions): Promise<Mapping> {
    this.#enter('map')
    const onUnmap = await this.#atHand(options.onUnmap)
    return this.#hypervisor.grants.map(this.domid, peer, grefs, { ...options, onUnmap })
  }

  async listen(peer: Domid): Promise<EventChannel> {
    this.#enter('listen')
    return this.#hypervisor.ports.listen(this.domid, peer)
  }

  async bind(peer: Domid, port: EvtchnPort): Promise<EventChannel> {
    this.#enter('bind')
    return this.#hypervisor.ports.bind(this.domid, peer, port)
  }

  async xenstore(): Promise<XenstoreTransport> {
    this.#enter('xenstore')
    const open = this.#hypervisor.openXenstore
    if (open === undefined) {
      throw new ConduitError('SUBSTRATE_UNAVAILABLE', 'this memory hypervisor was made without a store', {
        hint: 'pass { xenstore: (domid) => transport } to new MemoryHypervisor()',
      })
    }
    const transport = await open(this.domid)
    this.#transports.add(transport)
    transport.onClose(() => this.#transports.delete(transport))
    return transport
  }

  async close(): Promise<void> {
    if (this.#gone) return
    this.#leave()
    this.#hypervisor.ports.releaseAll(this.domid)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Death without a word: handlers first fall silent, then the kernel unmaps. */
  die(): void {
    if (this.#gone) return
    this.#hypervisor.ports.releaseAll(this.domid)
    this.#leave()
  }

  #leave(): void {
    this.#gone = true
    this.#hypervisor.grants.releaseAll(this.domid)
    for (const transport of this.#transports) transport.close()
    this.#hypervisor.onGone()
  }

  #enter(point: string): void {
    this.#assertThere()
    this.#hypervisor.faults.check(point)
  }

  /** The notification once its port is there. @throws ConduitError SUBSTRATE_LOST: the domain may have died meanwhile */
  async #atHand(onUnmap: UnmapNotify | undefined): Promise<PortNotify | undefined> {
    const notify = onUnmap === undefined ? undefined : { ...onUnmap, port: await onUnmap.port }
    this.#assertThere()
    return notify
  }

  #assertThere(): void {
    if (this.#gone) throw new ConduitError('SUBSTRATE_LOST', `domain ${this.domid} is gone`)
  }
}
