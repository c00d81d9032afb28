// The part of the registrar that owns /conduit: who holds a name, which clients are let in, with which rights.
// Decisions are taken and their requests issued without a pause between, so that the store carries them out in the
// order decided. It reads no mailbox and watches no domain.
import {
  CONDUIT_ROOT,
  clientPath,
  flowsPath,
  isReservedName,
  listenPath,
  namePath,
  namesAmong,
  parseDomid,
  parseOwner,
  pathBelow,
} from '../../protocol/conduit.js'
import { type Domid, domid } from '../../protocol/xen.js'
import { type ConduitErrorCode, isConduitError } from '../errors.js'
import type { Permission, XenstoreClient } from '../xenstore/client.js'
import type { XenstoreWatch } from '../xenstore/watch.js'

export type RegistrarAnswer = 'ok' | ConduitErrorCode

/** Names that one domain may hold. */
export const NAMES_PER_DOMAIN = 16
/** Names that one domain may be let in to: each costs a directory that counts against dom0. */
export const WANTS_PER_DOMAIN = 256
/**
 * Entries in the directory of one client: on oxenstored all that lies there counts against dom0. More, or anything below an
 * entry, and the client loses the directory.
 */
export const ENTRIES_PER_CLIENT = 64

const DOM0 = domid(0)
const READABLE = [{ access: 'r', domid: DOM0 }] as const

interface NameRecord {
  readonly owner: Domid
  readonly listenWatch: Promise<XenstoreWatch>
  /** For each client let in, how many entries it can have at most: those last counted plus the events since. */
  readonly clients: Map<Domid, number>
}

interface DomainRecord {
  readonly names: Set<string>
  readonly wants: Set<string>
}

export class NameDirectory {
  readonly #store: XenstoreClient
  readonly #reserved: ReadonlyMap<string, Domid>
  readonly #names = new Map<string, NameRecord>()
  readonly #domains = new Map<Domid, DomainRecord>()

  constructor(store: XenstoreClient, reserved: ReadonlyMap<string, Domid>) {
    this.#store = store
    this.#reserved = reserved
  }

  /** What a domain holds and wants, as decided so far. */
  held(owner: Domid): { readonly names: ReadonlySet<string>; readonly wants: ReadonlySet<string> } {
    return this.#domains.get(owner) ?? { names: new Set(), wants: new Set() }
  }

  /** Every domain that holds or wants anything. */
  holders(): Iterable<Domid> {
    return this.#domains.keys()
  }

  /** Take over what an earlier registrar left in the store. */
  async adopt(): Promise<void> {
    for (const name of namesAmong(await this.#store.directory(CONDUIT_ROOT))) {
      try {
        await this.#adoptName(name)
      } catch (error) {
        // Taken away while we looked: it is nobody's, and no reason to fail the others.
        ignoreMissing(error)
        const record = this.#names.get(name)
        if (record !== undefined) await this.#drop(name, record)
      }
    }
  }

  async #adoptName(name: string): Promise<void> {
    const [text, rights] = await Promise.all([
      this.#store.readText(namePath(name)),
      this.#store.getPermissions(namePath(name)),
    ])
    // A claim of the flat layout: it can be anybody's, and gives no right to the name.
    if (rights[0]?.domid !== DOM0 || rights[0].access !== 'r') return
    const owner = parseOwner(text)
    if (owner === undefined || !(await this.#store.isDomainIntroduced(owner))) {
      await this.#store.remove(namePath(name))
      return
    }
    const record = this.#hold(name, owner)
    await Promise.all([record.listenWatch, ...this.#writeName(name, owner)])
    for (const child of await this.#store.directory(listenPath(name))) {
      const client = parseDomid(child)
      if (client === undefined) continue
      try {
        await Promise.all(this.#writeClient(name, record, client))
        if (await this.#isAbused(name, client)) await this.dismiss(client, name)
      } catch (error) {
        // The directory is the client's to remove, at any moment: it has gone then.
        ignoreMissing(error)
        await this.dismiss(client, name)
      }
    }
  }

  /**
   * First come, unless the name is kept. Asking again mends what is missing.
   * @param admitted whether a reservation in the store is for this domain; undefined where there is none
   */
  async register(owner: Domid, name: string, admitted?: boolean): Promise<RegistrarAnswer> {
    if (!this.#mayHold(owner, name, admitted)) return 'EACCES'
    const known = this.#names.get(name)
    if (known !== undefined && known.owner !== owner) return 'EADDRINUSE'
    if (known !== undefined) {
      await Promise.all(this.#writeName(name, owner))
      return 'ok'
    }
    if (this.held(owner).names.size >= NAMES_PER_DOMAIN) return 'XENSTORE_QUOTA'
    const record = this.#hold(name, owner)
    try {
      await Promise.all([record.listenWatch, ...this.#writeName(name, owner)])
    } catch (error) {
      if (this.#names.get(name) === record) await this.#drop(name, record).catch(() => undefined)
      throw error
    }
    return 'ok'
  }

  /** The holder gives the name back; every client's directory goes with it. */
  async withdraw(owner: Domid, name: string): Promise<void> {
    const record = this.#names.get(name)
    if (record === undefined || record.owner !== owner) return
    const gone = this.#drop(name, record)
    if (this.held(owner).names.size > 0) return void (await gone)
    const flows = flowsPath(owner)
    const open = await this.#store.directory(flows).catch(ignoreMissing)
    // Looked at again: the domain may have taken another name in the meantime.
    const unused = open?.length === 0 && this.held(owner).names.size === 0
    await Promise.all([gone, unused ? this.#store.remove(flows).catch(ignoreMissing) : undefined])
  }

  /** Let a client in: its directory, where only it and the server can write. */
  async admit(client: Domid, name: string): Promise<RegistrarAnswer> {
    const record = this.#names.get(name)
    if (record === undefined) return 'ENOENT'
    if (!record.clients.has(client) && this.held(client).wants.size >= WANTS_PER_DOMAIN) return 'XENSTORE_QUOTA'
    await Promise.all(this.#writeClient(name, record, client))
    return 'ok'
  }

  /** The client has gone, asked to go, or has filled its directory. */
  async dismiss(client: Domid, name: string): Promise<void> {
    const record = this.#names.get(name)
    if (record?.clients.delete(client) !== true) return
    this.#domains.get(client)?.wants.delete(name)
    await this.#store.remove(clientPath(name, client)).catch(ignoreMissing)
  }

  /** A dead domain keeps nothing. */
  async forget(dead: Domid): Promise<void> {
    const { names, wants } = this.held(dead)
    const served = names.size > 0
    await Promise.all([
      ...[...names].map((name) => this.#drop(name, this.#names.get(name) as NameRecord)),
      ...[...wants].map((name) => this.dismiss(dead, name)),
      served ? this.#store.remove(flowsPath(dead)).catch(ignoreMissing) : undefined,
    ])
    this.#domains.delete(dead)
  }

  /** Stop watching; the tree stays for the next registrar. */
  async close(): Promise<void> {
    const watches = [...this.#names.values()].map((record) => record.listenWatch)
    this.#names.clear()
    this.#domains.clear()
    await Promise.allSettled(watches.map(async (watch) => (await watch).close()))
  }

  /** The registrar's own configuration has the last word. */
  #mayHold(owner: Domid, name: string, admitted: boolean | undefined): boolean {
    const keptFor = this.#reserved.get(name)
    return keptFor === undefined ? (admitted ?? !isReservedName(name)) : keptFor === owner
  }

  #domain(of: Domid): DomainRecord {
    const known = this.#domains.get(of)
    if (known !== undefined) return known
    const record = { names: new Set<string>(), wants: new Set<string>() }
    this.#domains.set(of, record)
    return record
  }

  #hold(name: string, owner: Domid): NameRecord {
    const listenWatch = this.#store.watch(listenPath(name), (path) => this.#onListenEvent(name, path))
    const record = { owner, listenWatch, clients: new Map() }
    this.#names.set(name, record)
    this.#domain(owner).names.add(name)
    return record
  }

  #drop(name: string, record: NameRecord): Promise<unknown> {
    this.#names.delete(name)
    this.#domains.get(record.owner)?.names.delete(name)
    for (const client of record.clients.keys()) this.#domains.get(client)?.wants.delete(name)
    return Promise.all([
      this.#store.remove(namePath(name)).catch(ignoreMissing),
      record.listenWatch.then((watch) => watch.close()),
    ])
  }

  /** From the outside in, each directory closed before anything lies in it. */
  #writeName(name: string, owner: Domid): Promise<void>[] {
    const store = this.#store
    return [
      store.write(namePath(name), String(owner)),
      store.setPermissions(namePath(name), READABLE),
      ...this.#makeDirectory(listenPath(name), DOM0, [{ access: 'r', domid: owner }]),
      // The server's own: what it writes there is then within its quota on oxenstored too, where the parent's owner is a node's.
      ...this.#makeDirectory(flowsPath(owner), owner),
    ]
  }

  #writeClient(name: string, record: NameRecord, client: Domid): Promise<void>[] {
    if (!record.clients.has(client)) record.clients.set(client, 0)
    this.#domain(client).wants.add(name)
    const both = client === record.owner ? [client] : [client, record.owner]
    // dom0's, not the client's: oxenstored takes a dead domain's nodes away without an event, and this one's removal is how the
    // server hears of the death.
    return this.#makeDirectory(
      clientPath(name, client),
      DOM0,
      both.map((domid) => ({ access: 'b' as const, domid })),
    )
  }

  #makeDirectory(path: string, owner: Domid, rights: readonly Permission[] = []): Promise<void>[] {
    // dom0 as a peer is not listed: it may do everything, and an entry for the owner itself would be odd.
    const others = rights.filter((right) => right.domid !== DOM0)
    return [this.#store.mkdir(path), this.#store.setPermissions(path, [{ access: 'n', domid: owner }, ...others])]
  }

  /** Each entry made is at least one event, so a directory can only be too full after that many. */
  #onListenEvent(name: string, path: string): void {
    const clients = this.#names.get(name)?.clients
    if (path === listenPath(name)) {
      // Perhaps too many events to tell them apart.
      for (const client of clients?.keys() ?? []) void this.#count(name, client).catch(() => undefined)
      return
    }
    // Whatever lies in a client's directory counts, not only what looks like an entry.
    const [child = '', , deeper] = pathBelow(listenPath(name), path) ?? []
    const client = parseDomid(child)
    const before = client === undefined ? undefined : clients?.get(client)
    if (client === undefined || before === undefined) return
    // An entry has nothing below it, so this is nobody's request.
    if (deeper !== undefined) return void this.dismiss(client, name).catch(() => undefined)
    clients?.set(client, before + 1)
    if (before + 1 > ENTRIES_PER_CLIENT) void this.#count(name, client).catch(() => undefined)
  }

  async #count(name: string, client: Domid): Promise<void> {
    const clients = this.#names.get(name)?.clients
    clients?.set(client, 0)
    const entries = await this.#store.directory(clientPath(name, client))
    if (entries.length > ENTRIES_PER_CLIENT) return this.dismiss(client, name)
    const since = clients?.get(client)
    if (since !== undefined) clients?.set(client, since + entries.length)
  }

  /** Looks at everything, for where no event was seen: what was done while no registrar ran. */
  async #isAbused(name: string, client: Domid): Promise<boolean> {
    const directory = clientPath(name, client)
    const entries = await this.#store.directory(directory)
    if (entries.length > ENTRIES_PER_CLIENT) return true
    const below = await Promise.all(
      entries.map((entry) => this.#store.directory(`${directory}/${entry}`).catch(ignoreMissing)),
    )
    return below.some((children) => (children?.length ?? 0) > 0)
  }
}

/** Removing what is not there is done already. */
function ignoreMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}
