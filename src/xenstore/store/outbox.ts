// What a connection still has to send, bounded: a client that does not read cannot make the store's memory grow.
import {
  encodeStrings,
  encodeXenstoreMessage,
  XENSTORE_PAYLOAD_MAX,
  XENSTORE_TYPES,
} from '../../../protocol/xenstore-wire.js'
import { pathForWatch, type StoreWatch } from './watch-table.js'

/** Distinct events that may wait on one connection before they are folded into one for each watch. */
export const WAITING_EVENTS_MAX = 1024

/** Events of one watch that wait for the peer. */
interface WaitingEvents {
  readonly paths: Set<string>
  /** The watch's own path stands for all of them. */
  folded: boolean
}

/**
 * Sends at once while the peer takes bytes. Once it does not, replies wait (the connection stops serving requests, so
 * there is at most one), equal events wait once, and from {@link WAITING_EVENTS_MAX} on each watch has one event with its
 * own path. That is the protocol's way to say "look again": watches may fire spuriously.
 */
export class Outbox {
  readonly #send: (bytes: Uint8Array) => unknown
  readonly #replies: Buffer[] = []
  readonly #events = new Map<StoreWatch, WaitingEvents>()
  #waitingEvents = 0
  #blocked = false

  /** `send` returns false when the bytes were taken but no more should follow until {@link drained}. */
  constructor(send: (bytes: Uint8Array) => unknown) {
    this.#send = send
  }

  /** The peer reads too slowly: serve no more of its requests for now. */
  get blocked(): boolean {
    return this.#blocked
  }

  get waitingEvents(): number {
    return this.#waitingEvents
  }

  reply(bytes: Buffer): void {
    if (this.#blocked) this.#replies.push(bytes)
    else this.#push(bytes)
  }

  event(watch: StoreWatch, path: string): void {
    if (this.#blocked) this.#keep(watch, path)
    else this.#push(encodeEvent(watch, path))
  }

  #keep(watch: StoreWatch, path: string): void {
    const waiting = this.#events.get(watch) ?? { paths: new Set(), folded: false }
    if (waiting.folded || waiting.paths.has(path)) return
    this.#events.set(watch, waiting)
    if (this.#waitingEvents >= WAITING_EVENTS_MAX) {
      this.#waitingEvents -= waiting.paths.size
      waiting.paths.clear()
      waiting.folded = true
    }
    waiting.paths.add(waiting.folded ? pathForWatch(watch, watch.path) : path)
    this.#waitingEvents++
  }

  /** Events of a watch that was removed are not sent any more. */
  forget(watch: StoreWatch): void {
    this.#waitingEvents -= this.#events.get(watch)?.paths.size ?? 0
    this.#events.delete(watch)
  }

  /** The peer takes bytes again. */
  drained(): void {
    this.#blocked = false
    while (!this.#blocked && this.#replies.length > 0) this.#push(this.#replies.shift()!)
    for (const [watch, { paths }] of this.#events) {
      for (const path of paths) {
        if (this.#blocked) return
        paths.delete(path)
        this.#waitingEvents--
        this.#push(encodeEvent(watch, path))
      }
      this.#events.delete(watch)
    }
  }

  #push(bytes: Buffer): void {
    if (bytes.length > 0 && this.#send(bytes) === false) this.#blocked = true
  }
}

/** Empty when path and token do not fit into one message: C drops such an event too. */
function encodeEvent(watch: StoreWatch, path: string): Buffer {
  const payload = encodeStrings([path, watch.token])
  if (payload.length > XENSTORE_PAYLOAD_MAX) return Buffer.alloc(0)
  return encodeXenstoreMessage({ type: XENSTORE_TYPES.WATCH_EVENT, requestId: 0, transactionId: 0, payload })
}
