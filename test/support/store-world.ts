// An embedded store with a registrar in dom0 and guests that speak to it by hand: the registrar's peers in tests.
import { mailboxPath } from '../../protocol/conduit.js'
import { type Domid, domid } from '../../protocol/xen.js'
import { Registrar, type RegistrarOptions } from '../../src/conduit/registrar.js'
import { isConduitError } from '../../src/errors.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import { eventually } from './eventually.js'

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

  async guest(id: number): Promise<Guest> {
    this.store.introduceDomain(domid(id))
    return new Guest(domid(id), await this.client(id))
  }

  /** Everything below `path` as text, with permissions, for comparing. */
  async tree(path = '/conduit'): Promise<string[]> {
    const permissions = (await this.dom0.getPermissions(path)).map(({ access, domid }) => `${access}${domid}`).join()
    const children = (await this.dom0.directory(path)).sort()
    const below = await Promise.all(children.map((child) => this.tree(`${path}/${child}`)))
    const value = await this.dom0.readText(path)
    return [`${path} ${permissions}${value === '' ? '' : ` ${value}`}`, ...below.flat()]
  }

  async close(): Promise<void> {
    await this.registrar.close()
    await Promise.all(this.#clients.map((client) => client.close()))
  }
}

export class Guest {
  readonly domid: Domid
  readonly store: XenstoreClient

  constructor(id: Domid, store: XenstoreClient) {
    this.domid = id
    this.store = store
  }

  /** Ask and wait for the answer. */
  async ask(kind: 'register' | 'want', name: string): Promise<string> {
    const answer = `${mailboxPath(this.domid)}/answer/${name}`
    await this.store.remove(answer).catch(() => undefined)
    await this.store.write(`${mailboxPath(this.domid)}/${kind}/${name}`, '')
    return eventually(() => this.read(answer))
  }

  async withdraw(kind: 'register' | 'want', name: string): Promise<void> {
    await this.store.remove(`${mailboxPath(this.domid)}/${kind}/${name}`)
  }

  async read(path: string): Promise<string | undefined> {
    return this.store.readText(path).catch((error: unknown) => {
      if (!isConduitError(error, 'ENOENT')) throw error
      return undefined
    })
  }

  /** The code with which `operation` fails, or `done`. */
  async attempt(operation: (store: XenstoreClient) => Promise<unknown>): Promise<string> {
    return operation(this.store).then(
      () => 'done',
      (error: unknown) => (isConduitError(error) ? error.code : String(error)),
    )
  }
}
