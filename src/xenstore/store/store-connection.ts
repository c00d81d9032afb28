// One client of the embedded store: cuts its bytes into requests, serves them in order, keeps its watches and
// transactions. What a request means is in requests.ts.
import type { Domid } from '../../../protocol/xen.js'
import { XenstoreFrames } from '../../../protocol/xenstore-frames.js'
import {
  encodeStrings,
  encodeXenstoreMessage,
  XENSTORE_PAYLOAD_MAX,
  XENSTORE_TYPES,
  type XenstoreErrorName,
  type XenstoreMessage,
} from '../../../protocol/xenstore-wire.js'
import { ConduitError } from '../../errors.js'
import type { DomainRecord } from './domains.js'
import { Outbox } from './outbox.js'
import { serveRequest } from './requests.js'
import type { Caller } from './rights.js'
import type { StoreCore } from './store-core.js'
import { StoreFault } from './store-fault.js'
import type { StoreTransaction } from './store-transaction.js'
import type { StoreWatch } from './watch-table.js'

/** The other end of a connection, as the store sees it. */
export interface StorePeer {
  /** Takes the bytes; returns false when no more should follow until {@link StoreConnection.drained} is called. */
  send(bytes: Uint8Array): unknown
  /** The store ends the connection; called at most once, not after {@link StoreConnection.close}. */
  close(error?: Error): void
}

/** One wire connection of the embedded store. */
export class StoreConnection {
  readonly core: StoreCore
  readonly domain: DomainRecord
  readonly outbox: Outbox
  /** By path and token. */
  readonly watches = new Map<string, StoreWatch>()
  readonly transactions = new Map<number, StoreTransaction>()
  readonly #peer: StorePeer
  readonly #frames = new XenstoreFrames()
  #lastTransactionId = 0
  #serving = false
  #closed = false

  constructor(core: StoreCore, domid: Domid, peer: StorePeer) {
    this.core = core
    this.domain = core.domains.record(domid)
    this.#peer = peer
    this.outbox = new Outbox((bytes) => peer.send(bytes))
    core.connections.add(this)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The peer must take bytes before more of its requests are served. */
  get blocked(): boolean {
    return this.outbox.blocked
  }

  get caller(): Caller {
    return this.domain
  }

  /** Bytes from the client, in order, however they were split. Not copied: they must not change afterwards. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return
    this.#frames.push(bytes)
    this.#serve()
  }

  /** The peer takes bytes again after it returned false. */
  drained(): void {
    if (this.#closed) return
    this.outbox.drained()
    this.#serve()
  }

  /** The client is gone: its watches and transactions go with it. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.reset()
    this.core.connections.delete(this)
  }

  /** End the connection from the store's side. */
  destroy(error?: Error): void {
    if (this.#closed) return
    this.close()
    this.#peer.close(error)
  }

  addWatch(key: string, watch: StoreWatch): void {
    this.watches.set(key, watch)
    this.core.watches.add(watch)
    this.domain.watches++
  }

  removeWatch(key: string, watch: StoreWatch): void {
    this.watches.delete(key)
    this.core.watches.remove(watch)
    this.outbox.forget(watch)
    this.domain.watches--
  }

  /** The number of the new transaction; numbers of open ones are not given again. */
  addTransaction(transaction: StoreTransaction): number {
    do {
      this.#lastTransactionId = (this.#lastTransactionId + 1) >>> 0
    } while (this.#lastTransactionId === 0 || this.transactions.has(this.#lastTransactionId))
    this.transactions.set(this.#lastTransactionId, transaction)
    this.domain.transactions++
    return this.#lastTransactionId
  }

  removeTransaction(id: number): void {
    if (this.transactions.delete(id)) this.domain.transactions--
  }

  /** Drop all watches and transactions. */
  reset(): void {
    for (const [key, watch] of this.watches) this.removeWatch(key, watch)
    for (const id of this.transactions.keys()) this.removeTransaction(id)
  }

  // Not re-entrant: a peer that answers within send() has its bytes served by the loop that is running.
  #serve(): void {
    if (this.#serving) return
    this.#serving = true
    try {
      while (!this.#closed && !this.outbox.blocked) {
        const message = this.#frames.next()
        if (message === undefined) break
        this.#answer(message)
      }
    } finally {
      this.#serving = false
    }
    if (this.#frames.broken) {
      this.destroy(
        new ConduitError('XENSTORE_PROTOCOL', `a client sent a payload of over ${XENSTORE_PAYLOAD_MAX} bytes`),
      )
    }
  }

  #answer(message: XenstoreMessage): void {
    try {
      const { payload, afterReply } = serveRequest(this, message)
      if (payload.length > XENSTORE_PAYLOAD_MAX) throw new StoreFault('E2BIG')
      this.#reply(message, message.type, payload)
      afterReply?.()
    } catch (fault) {
      if (!(fault instanceof StoreFault)) throw fault
      this.#refuse(message, fault.errorName)
    }
  }

  #refuse(message: XenstoreMessage, errorName: XenstoreErrorName): void {
    this.#reply(message, XENSTORE_TYPES.ERROR, encodeStrings([errorName]))
  }

  #reply({ requestId, transactionId }: XenstoreMessage, type: number, payload: Uint8Array): void {
    if (this.#closed) return
    this.outbox.reply(encodeXenstoreMessage({ type, requestId, transactionId, payload }))
  }
}
