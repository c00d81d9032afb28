// One connection's worth of requests and replies: pipelined, matched by req_id, aborted, failed together when the
// connection goes. Knows frames, not what a reply means; believes nothing the store sends.
import { XenstoreFrames } from '../../protocol/xenstore-frames.js'
import {
  decodeStrings,
  encodeXenstoreMessage,
  XENSTORE_REPLY_MAX,
  XENSTORE_TYPES,
  type XenstoreMessage,
  type XenstoreRequestType,
} from '../../protocol/xenstore-wire.js'
import { ConduitError } from '../errors.js'
import { onAbort } from './on-abort.js'
import type { XenstoreTransport } from './transport.js'
import { errorFromStore, protocolError } from './wire-error.js'

const ERROR_TEXT = /^E[A-Z0-9_]{1,31}$/

/** One request, ready to go. */
export interface ChannelRequest {
  readonly type: XenstoreRequestType
  readonly payload: Uint8Array
  readonly transactionId?: number
  readonly signal?: AbortSignal | undefined
  /** For error texts: the path asked for. */
  readonly endpoint?: string | undefined
  /** Gets a successful reply that came after the caller had given up, to undo what was done. */
  readonly onLateReply?: (payload: Buffer) => void
}

export interface ChannelEvents {
  onWatchEvent(path: string, token: string): void
  /** Called once, after every request in flight was rejected with the same error. */
  onClose(error: ConduitError): void
  /** Requests are in flight, or none is any more. */
  onBusy(busy: boolean): void
}

interface InFlight {
  readonly request: ChannelRequest
  readonly resolve: (payload: Buffer) => void
  readonly reject: (error: unknown) => void
  /** The caller gave up; the reply is still to come. */
  abandoned: boolean
  stopListening: () => void
}

export class RequestChannel {
  readonly transport: XenstoreTransport
  readonly #events: ChannelEvents
  readonly #frames = new XenstoreFrames(XENSTORE_REPLY_MAX)
  readonly #inFlight = new Map<number, InFlight>()
  #awaited = 0
  #lastRequestId = 0
  #closed: ConduitError | undefined

  constructor(transport: XenstoreTransport, events: ChannelEvents) {
    this.transport = transport
    this.#events = events
    transport.onClose((cause) => this.#fail(disconnected(cause)))
    transport.onData((bytes) => this.#receive(bytes))
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  /** Somebody waits for a reply. */
  get busy(): boolean {
    return this.#awaited > 0
  }

  /**
   * The reply's payload. Replies may come in any order; several requests may be in flight.
   * @throws ConduitError as {@link errorFromStore} says; XENSTORE_DISCONNECTED; XENSTORE_PROTOCOL
   * @throws the signal's reason, once it is aborted; the store may have done the request all the same
   */
  request(request: ChannelRequest): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const { signal } = request
      if (this.#closed !== undefined) throw this.#closed
      signal?.throwIfAborted()
      const requestId = this.#newRequestId()
      const entry: InFlight = { request, resolve, reject, abandoned: false, stopListening: () => {} }
      entry.stopListening = onAbort(signal, () => this.#abandon(entry))
      this.#inFlight.set(requestId, entry)
      this.#count(1)
      const { payload, transactionId = 0 } = request
      const type = XENSTORE_TYPES[request.type]
      this.transport.send(encodeXenstoreMessage({ type, requestId, transactionId, payload }))
    })
  }

  /** End the connection because of what the store sent; returns the error for the caller to throw. */
  breakOff(what: string): ConduitError {
    const error = protocolError(what)
    this.#fail(error)
    return error
  }

  /** Idempotent. Requests in flight are rejected. */
  close(): void {
    this.#fail(disconnected())
  }

  #newRequestId(): number {
    do {
      this.#lastRequestId = (this.#lastRequestId + 1) >>> 0
    } while (this.#lastRequestId === 0 || this.#inFlight.has(this.#lastRequestId))
    return this.#lastRequestId
  }

  #receive(bytes: Uint8Array): void {
    // Copied: the transport may use its buffer again, and payloads live on in what callers get.
    this.#frames.push(new Uint8Array(bytes))
    while (this.#closed === undefined) {
      const message = this.#frames.next()
      if (message === undefined) break
      if (message.type === XENSTORE_TYPES.WATCH_EVENT) this.#watchEvent(message)
      else this.#reply(message)
    }
    if (this.#frames.broken) this.breakOff('a reply of over a mebibyte')
  }

  #watchEvent({ payload }: XenstoreMessage): void {
    const { strings } = decodeStrings(payload)
    const [path, token] = strings
    if (path === undefined || token === undefined) this.breakOff('a watch event without path and token')
    else this.#events.onWatchEvent(path, token)
  }

  #reply({ type, requestId, payload }: XenstoreMessage): void {
    const entry = this.#inFlight.get(requestId)
    if (entry === undefined) {
      this.breakOff('a reply to nothing that was asked')
      return
    }
    const { request } = entry
    const failed = type === XENSTORE_TYPES.ERROR
    const errno = failed ? (decodeStrings(payload).strings[0] ?? '') : ''
    if (failed ? !ERROR_TEXT.test(errno) : type !== XENSTORE_TYPES[request.type]) {
      this.breakOff(failed ? 'an error without a name' : `a reply of type ${type} to ${request.type}`)
      return
    }
    this.#inFlight.delete(requestId)
    if (entry.abandoned) {
      if (!failed) request.onLateReply?.(payload)
      return
    }
    entry.stopListening()
    this.#count(-1)
    if (failed) entry.reject(errorFromStore(errno, request.type, request.endpoint))
    else entry.resolve(payload)
  }

  #abandon(entry: InFlight): void {
    entry.abandoned = true
    entry.reject(entry.request.signal?.reason)
    this.#count(-1)
  }

  #fail(error: ConduitError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.transport.close()
    const entries = [...this.#inFlight.values()].filter((entry) => !entry.abandoned)
    this.#inFlight.clear()
    this.#count(-entries.length)
    for (const entry of entries) {
      entry.stopListening()
      entry.reject(error)
    }
    this.#events.onClose(error)
  }

  #count(difference: number): void {
    const before = this.#awaited
    this.#awaited += difference
    if (before > 0 !== this.#awaited > 0) this.#events.onBusy(this.#awaited > 0)
  }
}

/** The store, or the way to it, is gone. */
export const disconnected = (cause?: Error): ConduitError =>
  new ConduitError('XENSTORE_DISCONNECTED', 'the connection to the store was lost', {
    hint: 'what was asked may or may not have been done',
    cause,
  })
