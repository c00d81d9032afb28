// Watches of one client, multiplexed over its connection: several listeners on a path share one registered watch, since
// a domain has but 128. Events are queued, bounded, equal ones once; a listener must look again anyway.
import { encodeStrings } from '../../protocol/xenstore-wire.js'
import type { ConduitError } from '../errors.js'
import { onAbort } from './on-abort.js'
import type { ChannelRequest } from './request-channel.js'

/** A listener's hold on a path. */
export interface XenstoreWatch {
  /** As it was given to watch(): absolute, relative, or `@introduceDomain` and the like. */
  readonly path: string
  /** No event reaches the listener after the call. Resolves when the store has forgotten the watch; never rejects. Idempotent. */
  close(): Promise<void>
  /** {@link XenstoreWatch.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface WatchListener {
  onEvent(path: string): void
  /** No more events will come: the client was closed, or the connection was lost for good (then with the error). */
  onEnd(error?: ConduitError): void
}

interface SharedWatch {
  readonly key: string
  readonly path: string
  readonly depth: number | undefined
  /** Never used twice, so that events still under way after an UNWATCH find nobody. */
  readonly token: string
  readonly listeners: Set<WatchListener>
  registered: Promise<unknown>
  /** The event that every watch starts with has come. */
  started: boolean
  readonly pending: Set<string>
  /** `pending` holds the watch's own path in place of too many others. */
  folded: boolean
  /** Joined after the first event: they get one of their own. */
  readonly newcomers: Set<WatchListener>
}

/** Distinct paths that may wait for one watch's listeners; then they fold into the watch's own path. */
export const PENDING_PATHS_MAX = 1024

type Send = (request: ChannelRequest) => Promise<unknown>

export class WatchRegistry {
  readonly #send: Send
  readonly #byKey = new Map<string, SharedWatch>()
  readonly #byToken = new Map<string, SharedWatch>()
  readonly #ready = new Set<SharedWatch>()
  #lastToken = 0

  /** `send` asks over the current connection, and rejects when there is none. */
  constructor(send: Send) {
    this.#send = send
  }

  /** Resolves once the store has the watch; the first event comes later, in another turn of the event loop. */
  async add(path: string, depth: number | undefined, listener: WatchListener): Promise<XenstoreWatch> {
    const key = `${depth ?? ''} ${path}`
    const watch = this.#byKey.get(key) ?? this.#register(key, path, depth)
    watch.listeners.add(listener)
    if (watch.started) {
      watch.newcomers.add(listener)
      this.#schedule(watch)
    }
    const close = () => this.#remove(watch, listener)
    try {
      await watch.registered
    } catch (error) {
      void close()
      throw error
    }
    return { path, close, [Symbol.asyncDispose]: close }
  }

  /** An event from the store. Tokens of watches that are gone are normal. */
  event(path: string, token: string): void {
    const watch = this.#byToken.get(token)
    if (watch === undefined) return
    watch.started = true
    if (watch.folded) return
    watch.pending.add(path)
    if (watch.pending.size > PENDING_PATHS_MAX) {
      watch.folded = true
      watch.pending.clear()
      watch.pending.add(watch.path)
    }
    this.#schedule(watch)
  }

  /** Register everything on a new connection. */
  async restore(send: Send): Promise<void> {
    const watches = [...this.#byKey.values()]
    await Promise.all(
      watches.map(async (watch) => {
        watch.started = false
        await send(watchRequest(watch))
        if (this.#byToken.get(watch.token) !== watch) await send(unwatchRequest(watch))
      }),
    )
  }

  /** No event will ever come again. */
  end(error?: ConduitError): void {
    const watches = [...this.#byKey.values()]
    this.#byKey.clear()
    this.#byToken.clear()
    for (const watch of watches) {
      const listeners = [...watch.listeners]
      watch.listeners.clear()
      for (const listener of listeners) listener.onEnd(error)
    }
  }

  #register(key: string, path: string, depth: number | undefined): SharedWatch {
    const token = `conduit-${++this.#lastToken}`
    const watch: SharedWatch = {
      key,
      path,
      depth,
      token,
      listeners: new Set(),
      registered: Promise.resolve(),
      started: false,
      pending: new Set(),
      folded: false,
      newcomers: new Set(),
    }
    this.#byKey.set(key, watch)
    this.#byToken.set(token, watch)
    watch.registered = this.#send(watchRequest(watch))
    watch.registered.catch(() => this.#forget(watch))
    return watch
  }

  #forget(watch: SharedWatch): void {
    if (this.#byKey.get(watch.key) === watch) this.#byKey.delete(watch.key)
    this.#byToken.delete(watch.token)
  }

  async #remove(watch: SharedWatch, listener: WatchListener): Promise<void> {
    watch.newcomers.delete(listener)
    if (!watch.listeners.delete(listener) || watch.listeners.size > 0) return
    if (this.#byToken.get(watch.token) !== watch) return
    this.#forget(watch)
    try {
      await watch.registered
      await this.#send(unwatchRequest(watch))
    } catch {
      // Without a connection, or without the watch, there is nothing left to remove.
    }
  }

  // In a later turn: whoever awaits add() has his XenstoreWatch before his listener runs.
  #schedule(watch: SharedWatch): void {
    this.#ready.add(watch)
    if (this.#ready.size === 1) setImmediate(() => this.#deliver())
  }

  #deliver(): void {
    const ready = [...this.#ready]
    this.#ready.clear()
    for (const watch of ready) {
      const paths = [...watch.pending]
      const newcomers = new Set(watch.newcomers)
      watch.pending.clear()
      watch.newcomers.clear()
      watch.folded = false
      for (const listener of [...watch.listeners]) {
        if (newcomers.has(listener) && !paths.includes(watch.path)) tell(watch, listener, watch.path)
        for (const path of paths) tell(watch, listener, path)
      }
    }
  }
}

/** A listener that throws is its owner's mistake: it is reported as uncaught, and the others still hear. */
function tell(watch: SharedWatch, listener: WatchListener, path: string): void {
  if (!watch.listeners.has(listener)) return
  try {
    listener.onEvent(path)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

const watchRequest = ({ path, token, depth }: SharedWatch): ChannelRequest => ({
  type: 'WATCH',
  payload: encodeStrings(depth === undefined ? [path, token] : [path, token, String(depth)]),
  endpoint: path,
})

const unwatchRequest = ({ path, token }: SharedWatch): ChannelRequest => ({
  type: 'UNWATCH',
  payload: encodeStrings([path, token]),
  endpoint: path,
})

/** `adding`, ended as soon as `signal` is aborted: before, in which case it rejects with the reason, or after. */
export function closedBySignal(adding: Promise<XenstoreWatch>, signal: AbortSignal): Promise<XenstoreWatch> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => {
      reject(signal.reason)
      adding.then((watch) => watch.close()).catch(() => {})
    })
    adding.then(
      (watch) => {
        const close = () => {
          forget()
          return watch.close()
        }
        resolve({ path: watch.path, close, [Symbol.asyncDispose]: close })
      },
      (error) => {
        forget()
        reject(error)
      },
    )
  })
}
