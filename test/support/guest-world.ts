// Guests of a xenstore daemon that talk to each other: the store, its rights and its quotas are the daemon's own, pages and
// ports are in this process. What Xen itself adds is tested on Xen.
import type { Domid } from '../../protocol/xen.js'
import { Conduit } from '../../src/conduit/conduit.js'
import { MemoryHypervisor } from '../../src/substrate/memory.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import type { StoreUnderTest } from '../conformance/xenstore-suite.js'
import { type ConduitWorld, leftoversIn } from './conduit-world.js'
import { eventually } from './eventually.js'
import { RegistrarWorld } from './registrar-world.js'

export class GuestWorld implements ConduitWorld {
  readonly registrar: RegistrarWorld
  readonly #hypervisor: MemoryHypervisor
  readonly #domains = new Map<Domid, Substrate>()
  readonly #conduits = new Map<Domid, Conduit>()

  private constructor(registrar: RegistrarWorld) {
    this.registrar = registrar
    this.#hypervisor = new MemoryHypervisor({ xenstore: (id) => registrar.daemon.connect(id)() })
  }

  static async start(daemon: StoreUnderTest): Promise<GuestWorld> {
    return new GuestWorld(await RegistrarWorld.start(daemon))
  }

  get dom0(): XenstoreClient {
    return this.registrar.dom0
  }

  async bare(): Promise<Substrate> {
    const substrate = this.#hypervisor.createDomain()
    this.#domains.set(substrate.domid, substrate)
    await this.registrar.daemon.introduce?.(substrate.domid)
    return substrate
  }

  async environment(): Promise<Conduit> {
    const conduit = await Conduit.open({ substrate: await this.bare() })
    this.#conduits.set(conduit.domid, conduit)
    return conduit
  }

  /**
   * As `xl destroy`, as the peers see it: the store knows that the domain has died, no event channel says so, and its pages
   * stay until they unmap them.
   */
  async destroy(id: Domid): Promise<void> {
    await this.#conduits.get(id)?.store.close()
    this.#conduits.delete(id)
    await this.registrar.kill(id)
  }

  leftovers(): Promise<string[]> {
    return leftoversIn(this.dom0)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#conduits.values()].map((conduit) => conduit.close()))
    await eventually(async () => (await this.leftovers()).length === 0)
    for (const [id, substrate] of this.#domains) {
      this.#hypervisor.kill(id)
      await substrate.close()
    }
    await this.registrar.close()
    this.#hypervisor.assertClean()
  }
}
