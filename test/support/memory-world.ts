// Domains in one process with a store and a registrar: a whole machine for the tests of the rendezvous.
import { type Domid, domid } from '../../protocol/xen.js'
import { Conduit, type ConduitOptions } from '../../src/conduit/conduit.js'
import { Registrar, type RegistrarOptions } from '../../src/conduit/registrar.js'
import { MemoryHypervisor } from '../../src/substrate/memory.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import type { XenstoreTransport } from '../../src/xenstore/transport.js'
import { type ConduitWorld, leftoversIn } from './conduit-world.js'
import { eventually } from './eventually.js'

export class MemoryWorld implements ConduitWorld {
  readonly hypervisor: MemoryHypervisor
  store = new EmbeddedStore()
  dom0!: XenstoreClient
  registrar!: Registrar
  /** While set, nobody reaches the store. */
  storeDown = false
  readonly #transports = new Set<XenstoreTransport>()
  readonly #domains = new Map<Domid, Substrate>()
  readonly #conduits = new Set<Conduit>()

  private constructor(grantLimit?: number) {
    this.hypervisor = new MemoryHypervisor({
      xenstore: (id) => this.#transport(id),
      ...(grantLimit === undefined ? {} : { grantLimit }),
    })
  }

  static async start(options: { grantLimit?: number } = {}): Promise<MemoryWorld> {
    const world = new MemoryWorld(options.grantLimit)
    await world.#boot()
    return world
  }

  /** A new domain, known to the store. */
  domain(): Substrate {
    const substrate = this.hypervisor.createDomain()
    this.#domains.set(substrate.domid, substrate)
    this.store.introduceDomain(substrate.domid)
    return substrate
  }

  async bare(): Promise<Substrate> {
    return this.domain()
  }

  async environment(options: Partial<ConduitOptions> = {}): Promise<Conduit> {
    const conduit = await Conduit.open({ substrate: this.domain(), ...options })
    this.#conduits.add(conduit)
    return conduit
  }

  /** A client of the store with a domain's rights. */
  async client(id: Domid): Promise<XenstoreClient> {
    return XenstoreClient.open(async () => this.#transport(id))
  }

  /** As kill -9: the domain, its pages, its ports, its connection to the store. */
  kill(id: Domid): void {
    this.hypervisor.kill(id)
    this.store.domainDied(id)
    this.#domains.delete(id)
    for (const conduit of this.#conduits) {
      if (conduit.domid !== id) continue
      this.#conduits.delete(conduit)
      // Nobody is there to connect again.
      void conduit.store.close()
    }
  }

  /** As kill -9 of the local hypervisor: an empty store takes the place of the old one, after which all are let in again. */
  async restartStore(options: RegistrarOptions = {}): Promise<void> {
    this.storeDown = true
    for (const transport of [...this.#transports]) transport.close()
    await this.registrar.close()
    await this.dom0.close()
    this.store = new EmbeddedStore()
    await this.#boot(options)
    for (const id of this.#domains.keys()) this.store.introduceDomain(id)
    this.storeDown = false
  }

  leftovers(): Promise<string[]> {
    return leftoversIn(this.dom0)
  }

  /** Close every environment; nothing may be left, neither in the store nor in the hypervisor. */
  async close(): Promise<void> {
    await Promise.all([...this.#conduits].map((conduit) => conduit.close()))
    await eventually(async () => (await this.leftovers()).length === 0)
    for (const [id, substrate] of this.#domains) {
      await substrate.close()
      this.store.domainDied(id)
    }
    await this.registrar.close()
    await this.dom0.close()
    this.hypervisor.assertClean()
  }

  async #boot(options: RegistrarOptions = {}): Promise<void> {
    this.store.introduceDomain(domid(0))
    this.dom0 = await XenstoreClient.open(async () => this.store.transport(domid(0)))
    this.registrar = await Registrar.start(
      await XenstoreClient.open(async () => this.store.transport(domid(0))),
      options,
    )
  }

  #transport(id: Domid): XenstoreTransport {
    if (this.storeDown) throw new Error('the store is down')
    const transport = this.store.transport(id)
    this.#transports.add(transport)
    transport.onClose(() => this.#transports.delete(transport))
    return transport
  }
}
