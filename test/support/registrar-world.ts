// Any xenstore with a registrar in dom0 and guests that speak to it by hand: the registrar's peers in tests.
import { domid } from '../../protocol/xen.js'
import { Registrar, type RegistrarOptions } from '../../src/conduit/registrar.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import type { StoreUnderTest } from '../conformance/xenstore-suite.js'
import { StoreGuest } from './store-guest.js'
import { storeTree } from './store-tree.js'

/** The number of the domain that {@link RegistrarWorld.settled} makes. */
const BYSTANDER = 99

export class RegistrarWorld {
  readonly daemon: StoreUnderTest
  dom0!: XenstoreClient
  /** Not there when it runs elsewhere: {@link withoutRegistrar}. */
  registrar!: Registrar
  readonly #clients: XenstoreClient[] = []
  #fences = 0

  private constructor(daemon: StoreUnderTest) {
    this.daemon = daemon
  }

  static async start(daemon: StoreUnderTest): Promise<RegistrarWorld> {
    const world = await RegistrarWorld.withoutRegistrar(daemon)
    world.registrar = await Registrar.start(await world.client(0))
    return world
  }

  static async withoutRegistrar(daemon: StoreUnderTest): Promise<RegistrarWorld> {
    const world = new RegistrarWorld(daemon)
    world.dom0 = await world.client(0)
    return world
  }

  async client(id: number): Promise<XenstoreClient> {
    const client = await XenstoreClient.open(this.daemon.connect(domid(id)))
    this.#clients.push(client)
    return client
  }

  /** A domain that lives, made when it is new. */
  async guest(id: number): Promise<StoreGuest> {
    await this.daemon.introduce?.(domid(id))
    return new StoreGuest(domid(id), await this.client(id))
  }

  async kill(id: number): Promise<void> {
    await this.daemon.kill?.(domid(id))
  }

  /** Another registrar instead of the one there is. */
  async restart(options: RegistrarOptions = {}): Promise<void> {
    await this.registrar?.close()
    this.registrar = await Registrar.start(await this.client(0), options)
  }

  /** The registrar has dealt with everything that was there for it: it answers what is asked after that, twice. */
  async settled(): Promise<void> {
    const bystander = await this.guest(BYSTANDER)
    for (let round = 0; round < 2; round++) await bystander.ask('want', `nobody-has-${this.#fences++}`)
  }

  /** See {@link storeTree}. */
  tree(path?: string): Promise<string[]> {
    return storeTree(this.dom0, path)
  }

  async close(): Promise<void> {
    await this.registrar?.close()
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.daemon.close()
  }
}
