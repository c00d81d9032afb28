// Any xenstore with a registrar in dom0 and guests that speak to it by hand: the registrar's peers in tests.
import { mailboxPath } from '../../protocol/conduit.js'
import { type Domid, domid } from '../../protocol/xen.js'
import { Registrar, type RegistrarOptions } from '../../src/conduit/registrar.js'
import { isConduitError } from '../../src/errors.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import type { StoreUnderTest } from '../conformance/xenstore-suite.js'
import { eventually } from './eventually.js'

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
  async guest(id: number): Promise<Guest> {
    await this.daemon.introduce?.(domid(id))
    return new Guest(domid(id), await this.client(id))
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

  /** Everything below `path` as text, with permissions, for comparing. */
  async tree(path = '/conduit'): Promise<string[]> {
    const permissions = (await this.dom0.getPermissions(path)).map(({ access, domid }) => `${access}${domid}`).join()
    const children = (await this.dom0.directory(path)).sort()
    const below = await Promise.all(children.map((child) => this.tree(`${path}/${child}`)))
    const value = await this.dom0.readText(path)
    return [`${path} ${permissions}${value === '' ? '' : ` ${value}`}`, ...below.flat()]
  }

  async close(): Promise<void> {
    await this.registrar?.close()
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.daemon.close()
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
