// An embedded store with a registrar in dom0 and guests that speak to it by hand: the registrar's peers in tests.
import { domid } from '../../protocol/xen.js'
import { Registrar, type RegistrarOptions } from '../../src/conduit/registrar.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import { StoreGuest } from './store-guest.js'
import { storeTree } from './store-tree.js'

export class StoreWorld {
  readonly store = new EmbeddedStore()
  dom0!: XenstoreClient
  registrar!: Registrar
  readonly #clients: XenstoreClient[] = []

  static async start(options: RegistrarOptions = {}): Promise<StoreWorld> {
    const world = new StoreWorld()
    world.store.introduceDomain(domid(0))
    world.dom0 = await world.client(0)
    world.registrar = await Registrar.start(await world.client(0), options)
    return world
  }

  async client(id: number): Promise<XenstoreClient> {
    const client = await XenstoreClient.open(async () => this.store.transport(domid(id)))
    this.#clients.push(client)
    return client
  }

  async guest(id: number): Promise<StoreGuest> {
    this.store.introduceDomain(domid(id))
    return new StoreGuest(domid(id), await this.client(id))
  }

  /** See {@link storeTree}. */
  tree(path?: string): Promise<string[]> {
    return storeTree(this.dom0, path)
  }

  async close(): Promise<void> {
    await this.registrar.close()
    await Promise.all(this.#clients.map((client) => client.close()))
  }
}
