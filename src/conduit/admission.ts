// Being let in to a name: who holds it, the directory the registrar made for us, and the one watch on it. Single-flight
// for all who want to connect. What is written in the directory is the route's business.
import { clientPath, namePath, parseOwner, pathBelow } from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { XenstoreWatch } from '../xenstore/watch.js'
import { type ConduitContext, ownDomid } from './context.js'
import { startDeadline } from './deadline.js'
import { refuseOwn } from './loopback.js'

/** Where requests go, and who answers them. */
export interface Entrance {
  readonly server: Domid
  readonly directory: string
}

export interface AdmissionEvents {
  /** Something happened at a request of this domain. */
  onEntry(connectionId: string): void
  /** Something may have happened at every one of them. */
  onEntries(): void
  /** The registrar has taken the directory away: the holder is gone. */
  onRemoved(): void
}

const REGISTRAR_TIMEOUT_MS = 10_000

export class Admission {
  readonly #context: ConduitContext
  readonly #name: string
  readonly #events: AdmissionEvents
  readonly #closing = new AbortController()
  readonly #stopListening: () => void
  #entrance: Promise<Entrance> | undefined
  #watch: { readonly directory: string; readonly watch: Promise<XenstoreWatch> } | undefined
  /** Whether the directory was seen in this life of the store: only then is its absence news. */
  #present = false
  /** Whether the registrar was asked: the request stays in our mailbox, also when the name has gone. */
  #asked = false

  constructor(context: ConduitContext, name: string, events: AdmissionEvents) {
    this.#context = context
    this.#name = name
    this.#events = events
    this.#stopListening = context.store.onLost(() => this.#forget())
  }

  /** @throws ConduitError ENOENT when nobody holds the name, ETIMEDOUT when no registrar answers, XENSTORE_QUOTA. */
  enter(): Promise<Entrance> {
    this.#entrance ??= this.#enter().catch((error: unknown) => {
      this.#forget()
      throw error
    })
    return this.#entrance
  }

  /** Whether the directory is still there. If not, the next {@link enter} asks the registrar again. */
  async stands(directory: string): Promise<boolean> {
    const stands = await this.#context.store.exists(directory).catch((error: unknown) => {
      if (isConduitError(error, 'EACCES')) return false
      throw error
    })
    if (!stands) this.#forget()
    return stands
  }

  /** Give up what the registrar granted. */
  async close(): Promise<void> {
    this.#stopListening()
    this.#closing.abort(new ConduitError('ECONNRESET', 'the environment was closed'))
    const watch = this.#watch
    this.#forget()
    await Promise.allSettled([
      watch?.watch.then((registered) => registered.close()),
      this.#asked ? this.#context.mailbox.withdraw('want', this.#name) : undefined,
    ])
  }

  #forget(): void {
    this.#present = false
    this.#entrance = undefined
  }

  async #enter(): Promise<Entrance> {
    const { store, mailbox, clock } = this.#context
    const limit = startDeadline(clock, {
      signal: this.#closing.signal,
      timeoutMs: REGISTRAR_TIMEOUT_MS,
      onTimeout: () =>
        new ConduitError('ETIMEDOUT', `no registrar answered for ${JSON.stringify(this.#name)}`, {
          endpoint: this.#name,
          hint: 'on Xen, conduit-registrar must run in dom0',
        }),
    })
    const stopListening = store.onLost((error) => limit.abort(error))
    try {
      const server = await this.#holder()
      refuseOwn(this.#context, server)
      const directory = clientPath(this.#name, ownDomid(this.#context))
      this.#asked = true
      await Promise.all([this.#watchDirectory(directory), mailbox.ask('want', this.#name, limit.signal)])
      this.#present = true
      return { server, directory }
    } finally {
      stopListening()
      limit.clear()
    }
  }

  async #holder(): Promise<Domid> {
    const text = await this.#context.store.readText(namePath(this.#name)).catch((error: unknown) => {
      if (!isConduitError(error, 'ENOENT')) throw error
      throw new ConduitError('ENOENT', `nobody holds the name ${JSON.stringify(this.#name)}`, {
        endpoint: this.#name,
        hint: 'start the server first, or wait for it (wait: true, conduit-cat --wait); conduit-cat ls shows the names there are',
      })
    })
    const server = parseOwner(text)
    if (server !== undefined) return server
    throw new ConduitError('CONDUIT_PROTOCOL', `${namePath(this.#name)} holds ${JSON.stringify(text.slice(0, 32))}`, {
      endpoint: this.#name,
      hint: 'no domid: somebody else than the registrar wrote it; look with xenstore-ls -p /conduit',
    })
  }

  /** The domid, and with it the directory, may change when the store was lost. */
  async #watchDirectory(directory: string): Promise<void> {
    const stale = this.#watch
    if (stale?.directory !== directory) {
      const watch = this.#context.store.watch(directory, (path) => this.#onEvent(directory, path))
      this.#watch = { directory, watch }
      stale?.watch.then((registered) => registered.close()).catch(() => undefined)
    }
    try {
      await this.#watch?.watch
    } catch (error) {
      this.#watch = undefined
      throw error
    }
  }

  #onEvent(directory: string, path: string): void {
    const connectionId = pathBelow(directory, path)?.[0]
    if (connectionId !== undefined) this.#events.onEntry(connectionId)
    else if (this.#present) this.#context.background.run(this.#onDirectoryEvent(directory))
  }

  async #onDirectoryEvent(directory: string): Promise<void> {
    if (!(await this.stands(directory))) this.#events.onRemoved()
    this.#events.onEntries()
  }
}
