// The xenstore client: every request of the protocol as a method, over one connection that is opened again when it is
// lost. What nodes mean is not its business.
import { formatPermission, type Permission } from '../../protocol/xenstore-permissions.js'
import { ConduitError, isConduitError } from '../errors.js'
import { directoryParts } from './directory-parts.js'
import { DomainClient } from './domain-client.js'
import { type Delay, defaultDelay, StoreLink } from './link.js'
import { replyPermissions, replyStrings } from './replies.js'
import { checkPath, Requester, type RequestOptions } from './requester.js'
import { Slots } from './slots.js'
import { runTransaction, type TransactionOptions, type XenstoreTransaction } from './transaction.js'
import type { OpenXenstoreTransport } from './transport.js'
import { closedBySignal, WatchRegistry, type XenstoreWatch } from './watch.js'
import { type WatchOptions, watchStream } from './watch-stream.js'

export type { Permission, RequestOptions, TransactionOptions, WatchOptions, XenstoreTransaction, XenstoreWatch }

/** How XenstoreClient.open() connects, reconnects and waits. */
export interface XenstoreClientOptions {
  /** Connect again when the connection is lost; true by default. */
  readonly reconnect?: boolean
  /** Transactions at once; more wait their turn. 8 by default: the store allows a domain 10. */
  readonly maxTransactions?: number
  /** For pauses; timers by default. */
  readonly delay?: Delay
  /** For the jitter of pauses, 0 ≤ random() < 1; Math.random by default. */
  readonly random?: () => number
}

/**
 * A connection to a xenstore.
 *
 * Paths are absolute, or relative to the domain's own `/local/domain/<domid>`. While the connection is lost every
 * request rejects with XENSTORE_DISCONNECTED at once; {@link onReconnect} tells when to go on. Methods reject with a
 * ConduitError: ENOENT, EACCES, EINVAL, XENSTORE_QUOTA, XENSTORE_CONFLICT, XENSTORE_DISCONNECTED, XENSTORE_PROTOCOL,
 * XENSTORE_ERROR; `errno` is the store's word, `syscall` the request, `endpoint` the path. An aborted signal rejects
 * with its reason; the store may have done the request all the same.
 *
 * @example
 * const store = await XenstoreClient.open(unixSocketTransport('/run/xenstored/socket'))
 * const name = await store.readText('/local/domain/0/name')
 * await store.close()
 */
export class XenstoreClient extends DomainClient {
  protected readonly requester: Requester
  #link!: StoreLink
  readonly #watches: WatchRegistry
  readonly #slots: Slots
  readonly #delay: Delay
  readonly #random: () => number
  readonly #reconnectListeners = new Set<() => void>()
  readonly #lostListeners = new Set<(error: ConduitError) => void>()

  private constructor(options: XenstoreClientOptions) {
    super()
    this.#slots = new Slots(options.maxTransactions ?? 8)
    this.#delay = options.delay ?? defaultDelay
    this.#random = options.random ?? Math.random
    this.requester = new Requester(() => this.#link.channel)
    this.#watches = new WatchRegistry(async (request) => this.#link.channel.request(request))
  }

  /** Connect. Rejects with what `connect` rejects with; it is called again whenever the connection was lost. */
  static async open(connect: OpenXenstoreTransport, options: XenstoreClientOptions = {}): Promise<XenstoreClient> {
    const client = new XenstoreClient(options)
    const reconnect = options.reconnect ?? true
    client.#link = await StoreLink.open(
      connect,
      { reconnect, delay: client.#delay, random: client.#random },
      {
        onWatchEvent: (path, token) => client.#watches.event(path, token),
        restore: (channel) => client.#watches.restore((request) => channel.request(request)),
        onLost: (error) => {
          if (!reconnect) client.#watches.end(error)
          for (const listener of [...client.#lostListeners]) listener(error)
        },
        onReconnect: () => {
          for (const listener of [...client.#reconnectListeners]) listener()
        },
      },
    )
    return client
  }

  /** A node's value. */
  async read(path: string, options: RequestOptions = {}): Promise<Buffer> {
    // A copy: the reply shares memory with whatever came in the same chunk.
    return Buffer.from(await this.requester.node('READ', path, options))
  }

  /** A node's value as UTF-8. */
  async readText(path: string, options: RequestOptions = {}): Promise<string> {
    return (await this.read(path, options)).toString()
  }

  /** Set a node's value; it and its ancestors are made where missing. Path and value fit into 4,096 bytes. */
  async write(path: string, value: string | Uint8Array, options: RequestOptions = {}): Promise<void> {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    await this.requester.node('WRITE', path, options, { bytes })
  }

  /** Make a node with an empty value; one that is there stays as it is. */
  async mkdir(path: string, options: RequestOptions = {}): Promise<void> {
    await this.requester.node('MKDIR', path, options)
  }

  /**
   * Remove a node and all below it. One that is not there is no error, unless its parent is missing too. The root is
   * refused here: C xenstored would say EINVAL, oxenstored would remove everything.
   */
  async remove(path: string, options: RequestOptions = {}): Promise<void> {
    if (path === '/') throw new ConduitError('EINVAL', 'the root of the store is not to be removed', { endpoint: path })
    await this.requester.node('RM', path, options)
  }

  /** Names of a node's children, however many: C xenstored sends a long list in parts, oxenstored in one long message. */
  async directory(path: string, options: RequestOptions = {}): Promise<string[]> {
    checkPath(path)
    const channel = this.requester.channel(options)
    try {
      return replyStrings(channel, await this.requester.node('DIRECTORY', path, options))
    } catch (error) {
      if (!isConduitError(error, 'XENSTORE_QUOTA')) throw error
      const request = { transactionId: options.transaction?.id ?? 0, signal: options.signal }
      return directoryParts(channel, path, request).catch((second: unknown) => {
        // A store without DIRECTORY_PART: what it said first is the better reason.
        const unknownType = isConduitError(second) && (second.errno === 'ENOSYS' || second.errno === 'EINVAL')
        throw unknownType ? error : second
      })
    }
  }

  /** Whether a node is there. Rejects with EACCES where this domain may not know. */
  async exists(path: string, options: RequestOptions = {}): Promise<boolean> {
    try {
      await this.read(path, options)
      return true
    } catch (error) {
      if (isConduitError(error, 'ENOENT')) return false
      throw error
    }
  }

  /** The permission list, owner first; also of `@introduceDomain` and `@releaseDomain`. */
  async getPermissions(path: string, options: RequestOptions = {}): Promise<Permission[]> {
    checkPath(path, true)
    const channel = this.requester.channel(options)
    return replyPermissions(channel, await this.requester.node('GET_PERMS', path, options, { allowSpecial: true }))
  }

  /** Replace the permission list. Only the owner may, and only domain 0 may change the owner. */
  async setPermissions(path: string, permissions: readonly Permission[], options: RequestOptions = {}): Promise<void> {
    if (permissions.length === 0) throw new RangeError('a permission list has at least the owner')
    const strings = permissions.map(formatPermission)
    await this.requester.node('SET_PERMS', path, options, { strings, allowSpecial: true })
  }

  /**
   * Run `body` in a transaction and commit it; on a conflict run it again, after a pause. When it throws, nothing of it
   * takes effect and the promise rejects with what it threw. Never start one inside another: with all slots taken by
   * such bodies none could go on.
   * @throws ConduitError XENSTORE_CONFLICT when `attempts` are used up
   */
  transaction<T>(body: (transaction: XenstoreTransaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const channel = () => this.#link.channel
    return runTransaction({ slots: this.#slots, delay: this.#delay, random: this.#random, channel }, body, options)
  }

  /**
   * Call `listener` once at first, and then whenever `path` or something below it changes, with the path that changed
   * (relative when `path` is). Events say "look again": equal ones may come as one, and some for no reason.
   * Aborting the signal ends the watch, also later.
   */
  async watch(path: string, listener: (eventPath: string) => void, options: WatchOptions = {}): Promise<XenstoreWatch> {
    checkPath(path, true)
    const { signal, depth } = options
    signal?.throwIfAborted()
    const onEvent = (eventPath: string) => {
      if (signal?.aborted !== true) listener(eventPath)
    }
    const adding = this.#watches.add(path, depth, { onEvent, onEnd: () => {} })
    return signal === undefined ? adding : closedBySignal(adding, signal)
  }

  /** The same as async iteration: each path that changed since it was last taken. Leaving the loop ends the watch. */
  watches(path: string, options: WatchOptions = {}): AsyncIterable<string> {
    checkPath(path, true)
    return watchStream(this.#watches, path, options)
  }

  /** Drop this connection's watches and transactions in the store; the watches of this client end. */
  async resetWatches(options: RequestOptions = {}): Promise<void> {
    this.#watches.end()
    await this.requester.text('RESET_WATCHES', [''], options)
  }

  /** Call when the store was lost and is back, with every watch registered again: each fires once. Returns how to stop. */
  onReconnect(listener: () => void): () => void {
    this.#reconnectListeners.add(listener)
    return () => this.#reconnectListeners.delete(listener)
  }

  /** Call when the connection is lost, after the requests in flight were rejected. Returns how to stop. */
  onLost(listener: (error: ConduitError) => void): () => void {
    this.#lostListeners.add(listener)
    return () => this.#lostListeners.delete(listener)
  }

  /** Keep the event loop alive, until `unref()` was called as often. Without, it is kept alive only for replies. */
  ref(): void {
    this.#link.ref()
  }

  /** Undo one {@link ref}. Calls are counted, and one too many does nothing. */
  unref(): void {
    this.#link.unref()
  }

  /** End the connection: the store forgets watches and transactions, requests in flight reject. Idempotent. */
  async close(): Promise<void> {
    this.#link.close()
    this.#watches.end()
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
