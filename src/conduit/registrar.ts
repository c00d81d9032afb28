// The registrar: dom0's side of the rendezvous. It follows which domains exist and reads their mailboxes, because no
// stock daemon gives a guest the right to create something under /conduit. A domain's identity is the directory it
// writes in, never a name it claims. What it grants is kept by NameDirectory.
import { type MailboxRequest, mailboxPath, parseMailboxEvent, parseName } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { type ConduitError, isConduitError } from '../errors.js'
import type { XenstoreClient, XenstoreTransaction } from '../xenstore/client.js'
import type { XenstoreWatch } from '../xenstore/watch.js'
import type { Clock } from './clock.js'
import { makeConduitRoot } from './conduit-root.js'
import { DomainFollower } from './domain-follower.js'
import { NAMES_PER_DOMAIN, NameDirectory, WANTS_PER_DOMAIN } from './name-directory.js'
import { RegistrarClaim } from './registrar-claim.js'
import { type IsProcessOf, mayRegister } from './reservations.js'

export interface RegistrarOptions {
  /** Names kept for one domain each, such as `jitsud` for the directory service. */
  readonly reserved?: ReadonlyMap<string, Domid>
  /** Whether a domain is the process, or of the session, that the store keeps a name for; never by default. */
  readonly isProcessOf?: IsProcessOf
  /** Follow `@introduceDomain` and `@releaseDomain`; by default true. Without it, call the two methods. */
  readonly watchDomains?: boolean
  /**
   * Be the only registrar of the store: refuse to start beside another one, and call this, once, when another one has
   * taken the store over all the same.
   */
  readonly onTakenOver?: (error: ConduitError) => void
  /** Called, once, when the store came back and could not be served again: this registrar is of no use any more. */
  readonly onFailed?: (error: unknown) => void
  /** For how long another registrar may take to answer; timers by default. */
  readonly clock?: Clock
}

/** Requests of one domain looked at per turn: a domain that floods waits for itself. */
const REQUESTS_PER_TURN = 16
/** Requests of one domain remembered at a time; what comes on top is the domain's own loss. */
const REQUESTS_PER_DOMAIN = 2 * (NAMES_PER_DOMAIN + WANTS_PER_DOMAIN)

/** How often one turn tries to write its answers, against a domain that changes its requests meanwhile. */
const PUBLISH_ATTEMPTS = 4

interface Answer {
  /** As `kind/name`. */
  readonly request: string
  readonly name: string
  readonly text: string
}

interface Mailbox {
  readonly watch: Promise<XenstoreWatch>
  /** Requests to look at, as `kind/name`. Events that repeat coalesce here. */
  readonly dirty: Set<string>
  /** Whether the mailbox as a whole has to be read again. */
  stale: boolean
}

/**
 * Gives out names and lets clients in to them. Runs in dom0, or in the local hypervisor.
 *
 * @example
 * const registrar = await Registrar.start(await XenstoreClient.open(unixSocketTransport('/run/xenstored/socket')))
 */
export class Registrar {
  readonly #store: XenstoreClient
  readonly #directory: NameDirectory
  readonly #mailboxes = new Map<Domid, Mailbox>()
  readonly #ready = new Set<Domid>()
  readonly #stopReconnect: () => void
  readonly #claim: RegistrarClaim | undefined
  readonly #onTakenOver: (error: ConduitError) => void
  readonly #onFailed: (error: unknown) => void
  readonly #isProcessOf: IsProcessOf
  #domains: DomainFollower | undefined
  #working: Promise<void> | undefined
  #over = false
  #closed = false

  private constructor(store: XenstoreClient, options: RegistrarOptions) {
    this.#store = store
    this.#directory = new NameDirectory(store, options.reserved ?? new Map())
    this.#claim = options.onTakenOver && new RegistrarClaim(store, options.clock)
    this.#onTakenOver = options.onTakenOver ?? (() => undefined)
    this.#onFailed = options.onFailed ?? (() => undefined)
    this.#isProcessOf = options.isProcessOf ?? (() => false)
    this.#stopReconnect = store.onReconnect(() => void this.#restart().catch((error) => this.#failed(error)))
  }

  /**
   * Make /conduit and start to serve mailboxes.
   * @param store a connection with dom0's rights; it stays the caller's.
   * @throws ConduitError EACCES when this is not dom0; with `onTakenOver` EADDRINUSE
   */
  static async start(store: XenstoreClient, options: RegistrarOptions = {}): Promise<Registrar> {
    const registrar = new Registrar(store, options)
    try {
      await registrar.#begin(options)
      return registrar
    } catch (error) {
      await registrar.close()
      throw error
    }
  }

  /** Serve a domain's mailbox from now on. Idempotent. */
  async domainIntroduced(introduced: Domid): Promise<void> {
    if (this.#closed || this.#mailboxes.has(introduced)) return
    const root = mailboxPath(introduced)
    const watch = this.#store.watch(root, (path) => this.#onMailboxEvent(introduced, path))
    const mailbox = { watch, dirty: new Set<string>(), stale: true }
    this.#mailboxes.set(introduced, mailbox)
    try {
      await watch
    } catch (error) {
      // The store was lost: with a mailbox that nobody watches the next look at the domains must begin anew.
      if (this.#mailboxes.get(introduced) === mailbox) this.#mailboxes.delete(introduced)
      throw error
    }
  }

  /** Remove everything the domain held, also what an earlier registrar gave it. Idempotent. */
  async domainReleased(released: Domid): Promise<void> {
    const mailbox = this.#mailboxes.get(released)
    this.#mailboxes.delete(released)
    this.#ready.delete(released)
    await Promise.all([this.#directory.forget(released), mailbox?.watch.then((watch) => watch.close())])
  }

  /** Stop serving. What was given out stays in the store for the next registrar. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stopReconnect()
    const watches = [...this.#mailboxes.values()].map((mailbox) => mailbox.watch)
    this.#mailboxes.clear()
    await Promise.allSettled([this.#working, this.#domains?.close()])
    await Promise.allSettled([
      this.#claim?.release(),
      this.#directory.close(),
      ...watches.map(async (watch) => (await watch).close()),
    ])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #begin({ watchDomains = true }: RegistrarOptions): Promise<void> {
    await this.#prepare()
    await this.#claim?.guard((error) => this.#failed(error))
    if (!watchDomains) return
    this.#domains = await DomainFollower.start(this.#store, {
      known: () => [...this.#mailboxes.keys(), ...this.#directory.holders()],
      onIntroduced: (id) => this.domainIntroduced(id),
      onReleased: (id) => this.domainReleased(id),
    })
  }

  /** While it runs. That the store is lost again is no reason to end: the next connection begins anew. */
  #failed(error: unknown): void {
    if (this.#over || this.#closed || isConduitError(error, 'XENSTORE_DISCONNECTED')) return
    this.#over = true
    if (isConduitError(error, 'EADDRINUSE')) this.#onTakenOver(error)
    else this.#onFailed(error)
  }

  async #prepare(): Promise<void> {
    await makeConduitRoot(this.#store)
    await this.#claim?.take()
    await this.#directory.adopt()
  }

  /** The store came back, perhaps empty: build everything again; each watch has told its mailbox to be read. */
  async #restart(): Promise<void> {
    await this.#directory.close()
    await this.#prepare()
    for (const [known, mailbox] of this.#mailboxes) {
      mailbox.stale = true
      this.#schedule(known)
    }
    await this.#domains?.sync()
  }

  #onMailboxEvent(owner: Domid, path: string): void {
    const mailbox = this.#mailboxes.get(owner)
    const event = parseMailboxEvent(mailboxPath(owner), path)
    if (mailbox === undefined || event.kind === 'other') return
    if (event.kind === 'all') mailbox.stale = true
    else if (mailbox.dirty.size < REQUESTS_PER_DOMAIN) mailbox.dirty.add(`${event.kind}/${event.name}`)
    this.#schedule(owner)
  }

  #schedule(owner: Domid): void {
    if (this.#closed) return
    this.#ready.add(owner)
    this.#working ??= this.#work()
  }

  /** Turn about: each domain that has something to look at gets one bounded turn per round. */
  async #work(): Promise<void> {
    while (this.#ready.size > 0 && !this.#closed) {
      const round = [...this.#ready]
      this.#ready.clear()
      // A failed turn is that domain's loss: its own store operations failed, or the store went away.
      await Promise.allSettled(round.map((owner) => this.#turn(owner)))
    }
    // Nothing is awaited between the last look at `ready` and this, so nobody is forgotten.
    this.#working = undefined
  }

  async #turn(owner: Domid): Promise<void> {
    const mailbox = this.#mailboxes.get(owner)
    if (mailbox === undefined) return
    if (mailbox.stale) {
      mailbox.stale = false
      await this.#readMailbox(owner, mailbox)
    }
    const requests = [...mailbox.dirty].slice(0, REQUESTS_PER_TURN)
    for (const request of requests) mailbox.dirty.delete(request)
    if (mailbox.dirty.size > 0) this.#ready.add(owner)
    const decided = await Promise.allSettled(requests.map((request) => this.#decide(owner, request)))
    const answers = decided.flatMap((each) =>
      each.status === 'fulfilled' && each.value !== undefined ? each.value : [],
    )
    if (answers.length > 0) await this.#publish(owner, mailbox, answers)
  }

  /** Everything asked for, and everything held: the latter may have been withdrawn unseen. */
  async #readMailbox(owner: Domid, mailbox: Mailbox): Promise<void> {
    const root = mailboxPath(owner)
    const list = (kind: MailboxRequest) => this.#store.directory(`${root}/${kind}`).catch(emptyWhenMissing)
    const [register, want] = await Promise.all([list('register'), list('want')])
    // Events that came before the lists are told of a turn later. They have to fall together with what is listed: a second
    // answer to one question would pass for the answer to the next.
    await new Promise((resolve) => setImmediate(resolve))
    const { names, wants } = this.#directory.held(owner)
    for (const name of new Set([...names, ...register.slice(0, REQUESTS_PER_DOMAIN)]))
      mailbox.dirty.add(`register/${name}`)
    for (const name of new Set([...wants, ...want.slice(0, REQUESTS_PER_DOMAIN)])) mailbox.dirty.add(`want/${name}`)
  }

  /** Undefined for a request that was withdrawn. */
  async #decide(owner: Domid, request: string): Promise<Answer | undefined> {
    const asked = await this.#store.exists(`${mailboxPath(owner)}/${request}`)
    if (!this.#mailboxes.has(owner)) return undefined
    const separator = request.indexOf('/')
    const [kind, name] = [request.slice(0, separator) as MailboxRequest, request.slice(separator + 1)]
    if (asked) return { request, name, text: await this.#answer(owner, kind, name) }
    await (kind === 'register' ? this.#directory.withdraw(owner, name) : this.#directory.dismiss(owner, name))
    return undefined
  }

  async #answer(owner: Domid, kind: MailboxRequest, name: string): Promise<string> {
    if (parseName(name) !== name) return 'CONDUIT_NAME'
    try {
      if (kind === 'want') return await this.#directory.admit(owner, name)
      // Read each time: whoever starts a server writes it just before the server asks.
      const admitted = await mayRegister(this.#store, { domid: owner, name }, this.#isProcessOf)
      return await this.#directory.register(owner, name, admitted)
    } catch (error) {
      return isConduitError(error) ? error.code : 'XENSTORE_ERROR'
    }
  }

  /** Only while they are asked for: an answer that comes after the withdrawal, or the domain's death, would stay for ever. */
  async #publish(owner: Domid, mailbox: Mailbox, answers: readonly Answer[]): Promise<void> {
    const root = mailboxPath(owner)
    const write = async (transaction: XenstoreTransaction) => {
      for (const { request, name, text } of answers) {
        if (!(await this.#store.exists(`${root}/${request}`, { transaction }))) continue
        await this.#store.write(`${root}/answer/${name}`, text, { transaction })
      }
    }
    try {
      await this.#store.transaction(write, { attempts: PUBLISH_ATTEMPTS })
    } catch (error) {
      if (!isConduitError(error, 'XENSTORE_CONFLICT')) throw error
      // It keeps rewriting its own mailbox: that costs it time, and the others one short turn.
      for (const { request } of answers) mailbox.dirty.add(request)
      if (this.#mailboxes.get(owner) === mailbox) this.#ready.add(owner)
    }
  }
}

function emptyWhenMissing(error: unknown): string[] {
  if (!isConduitError(error, 'ENOENT')) throw error
  return []
}
