// Holding a name: asks the registrar for it, watches what clients put under it, and asks again when the store comes back
// empty. What an entry means is the listener's business.
import {
  clientPath,
  isConnectionId,
  listenPath,
  namePath,
  parseDomid,
  parseListenEvent,
  parseOwner,
} from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { ConduitError, isConduitError } from '../errors.js'
import type { XenstoreWatch } from '../xenstore/watch.js'
import { type ConduitContext, ownDomid } from './context.js'
import { startDeadline } from './deadline.js'
import { pause, throughOutages } from './outages.js'

export interface NameEvents {
  /** Something happened at an entry, perhaps its removal. */
  onEntry(client: Domid, connectionId: string): void
  /** Something happened at a client's directory, perhaps its removal. */
  onClient(client: Domid): void
  /** The store is gone: what was seen there says nothing about what will be. */
  onStoreLost(): void
  /** The name could not be had again. */
  onNameLost(error: ConduitError): void
}

/** Asking again after the store was lost: how long one try may take, and the pause between tries. */
const RECLAIM_TIMEOUT_MS = 10_000
const RECLAIM_PAUSE_MS = 250

export class NameRegistration {
  readonly name: string
  readonly #context: ConduitContext
  readonly #events: NameEvents
  readonly #closing = new AbortController()
  readonly #stops: (() => void)[] = []
  #watch: XenstoreWatch | undefined
  #registered = false
  #reclaiming = false

  private constructor(context: ConduitContext, name: string, events: NameEvents) {
    this.name = name
    this.#context = context
    this.#events = events
  }

  /** @throws ConduitError EADDRINUSE, EACCES, XENSTORE_QUOTA; the signal's reason. */
  static async open(
    context: ConduitContext,
    name: string,
    events: NameEvents,
    signal: AbortSignal,
  ): Promise<NameRegistration> {
    const registration = new NameRegistration(context, name, events)
    try {
      await throughOutages(context, signal, (limit) => registration.#claim(limit))
    } catch (error) {
      await registration.close()
      throw error
    }
    registration.#stops.push(
      context.store.onLost(() => registration.#onLost()),
      context.store.onReconnect(() => registration.#reclaim()),
    )
    // The last holder may have been killed: whoever asked it, in vain, is still there.
    context.background.run(registration.scan())
    return registration
  }

  /** Give the name back. Idempotent; a store that is gone has forgotten the name anyway. */
  async close(): Promise<void> {
    this.#closing.abort()
    for (const stop of this.#stops.splice(0)) stop()
    const [watch, registered] = [this.#watch, this.#registered]
    this.#watch = undefined
    this.#registered = false
    await Promise.allSettled([
      registered ? this.#context.mailbox.withdraw('register', this.name) : undefined,
      watch?.close(),
    ])
  }

  /** Tell of every entry there is: their events fell into an outage, or came too early. */
  async scan(): Promise<void> {
    const { store } = this.#context
    for (const child of await store.directory(listenPath(this.name)).catch(() => [])) {
      const client = parseDomid(child)
      if (client === undefined) continue
      this.#events.onClient(client)
      const entries = await store.directory(clientPath(this.name, client)).catch(() => [])
      for (const entry of entries.filter(isConnectionId)) this.#events.onEntry(client, entry)
    }
  }

  async #claim(signal: AbortSignal): Promise<void> {
    const { store, mailbox } = this.#context
    // The watch comes first: a client may be let in, and write, the moment the registrar has answered.
    this.#watch ??= await store.watch(listenPath(this.name), (path) => this.#onEvent(path))
    await mailbox.ask('register', this.name, signal)
    this.#registered = true
    if (parseOwner(await store.readText(namePath(this.name))) !== ownDomid(this.#context)) {
      throw new ConduitError('EADDRINUSE', `the name ${JSON.stringify(this.name)} belongs to another domain`, {
        endpoint: this.name,
        hint: 'choose another name, or stop its holder (conduit-cat ls shows it)',
      })
    }
  }

  #onEvent(path: string): void {
    const event = parseListenEvent(listenPath(this.name), path)
    if (event?.connectionId !== undefined) this.#events.onEntry(event.client, event.connectionId)
    else if (event !== undefined) this.#events.onClient(event.client)
    else if (path === listenPath(this.name) && this.#registered) this.#context.background.run(this.#checkName())
  }

  /** The name was made or taken away, or there were too many events to tell them apart. */
  async #checkName(): Promise<void> {
    const there = await this.#context.store.exists(listenPath(this.name))
    if (there) await this.scan()
    else if (this.#registered) this.#reclaim()
  }

  #onLost(): void {
    this.#registered = false
    this.#events.onStoreLost()
  }

  #reclaim(): void {
    if (this.#reclaiming || this.#closing.signal.aborted) return
    this.#reclaiming = true
    const done = this.#reclaimUntilHeld().finally(() => {
      this.#reclaiming = false
    })
    this.#context.background.run(done)
  }

  async #reclaimUntilHeld(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const limit = startDeadline(this.#context.clock, {
        signal,
        timeoutMs: RECLAIM_TIMEOUT_MS,
        onTimeout: () => new ConduitError('ETIMEDOUT', `no registrar answered for ${JSON.stringify(this.name)}`),
      })
      try {
        await throughOutages(this.#context, limit.signal, (attempt) => this.#claim(attempt))
        return await this.scan()
      } catch (error) {
        if (signal.aborted) return
        if (isFinal(error)) return this.#events.onNameLost(error)
        await pause(this.#context, RECLAIM_PAUSE_MS, signal)
      } finally {
        limit.clear()
      }
    }
  }
}

/** The registrar's own word; everything else may pass: it is not there yet, or our domain is not known again. */
function isFinal(error: unknown): error is ConduitError {
  const final = ['EADDRINUSE', 'EACCES', 'XENSTORE_QUOTA', 'CONDUIT_NAME']
  return isConduitError(error) && error.syscall === undefined && final.includes(error.code)
}
