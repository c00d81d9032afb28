// The store's end of a client's connection in a test's hands: it sees each request and answers what it likes.
import { XenstoreFrames } from '../../protocol/xenstore-frames.js'
import {
  decodeStrings,
  encodeStrings,
  encodeXenstoreMessage,
  XENSTORE_TYPES,
  type XenstoreMessage,
  type XenstoreType,
  xenstoreTypeName,
} from '../../protocol/xenstore-wire.js'
import type { XenstoreTransport } from '../../src/xenstore/transport.js'

/** One request as the client sent it. */
export interface SeenRequest extends XenstoreMessage {
  readonly name: XenstoreType | undefined
  readonly strings: string[]
}

export class ScriptedStore implements XenstoreTransport {
  /** Requests that were not taken by {@link next} yet. */
  readonly seen: SeenRequest[] = []
  closed = false
  referenced = false
  readonly #frames = new XenstoreFrames()
  #receiver = (_bytes: Uint8Array): void => {}
  #listener = (_error?: Error): void => {}
  #wake = (): void => {}

  /** The next request, which must be of this type. */
  async next(name: XenstoreType): Promise<SeenRequest> {
    while (this.seen.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const request = this.seen.shift()!
    if (request.name !== name) throw new Error(`the client asks ${request.name}, not ${name}`)
    return request
  }

  /** Take the next request, which must be of this type, and answer it. */
  async serve(name: XenstoreType, payload: readonly string[] | Uint8Array = ['OK']): Promise<SeenRequest> {
    const request = await this.next(name)
    this.reply(request, payload)
    return request
  }

  reply(
    request: SeenRequest,
    payload: readonly string[] | Uint8Array = ['OK'],
    header: Partial<XenstoreMessage> = {},
  ): void {
    const { type, requestId, transactionId } = request
    const bytes = payload instanceof Uint8Array ? payload : encodeStrings(payload)
    this.deliver(encodeXenstoreMessage({ type, requestId, transactionId, ...header, payload: bytes }))
  }

  refuse(request: SeenRequest, errorName: string): void {
    this.reply(request, [errorName], { type: XENSTORE_TYPES.ERROR })
  }

  event(path: string, token: string): void {
    const payload = encodeStrings([path, token])
    this.deliver(encodeXenstoreMessage({ type: XENSTORE_TYPES.WATCH_EVENT, requestId: 0, transactionId: 0, payload }))
  }

  deliver(bytes: Uint8Array): void {
    this.#receiver(bytes)
  }

  /** The store goes away. */
  drop(error?: Error): void {
    this.closed = true
    this.#listener(error)
  }

  send(bytes: Uint8Array): void {
    if (this.closed) return
    this.#frames.push(new Uint8Array(bytes))
    for (let message = this.#frames.next(); message !== undefined; message = this.#frames.next()) {
      const { strings } = decodeStrings(message.payload)
      this.seen.push({ ...message, name: xenstoreTypeName(message.type), strings })
    }
    this.#wake()
  }

  onData(receiver: (bytes: Uint8Array) => void): void {
    this.#receiver = receiver
  }

  onClose(listener: (error?: Error) => void): void {
    this.#listener = listener
  }

  ref(): void {
    this.referenced = true
  }

  unref(): void {
    this.referenced = false
  }

  close(): void {
    if (!this.closed) this.drop()
  }
}
