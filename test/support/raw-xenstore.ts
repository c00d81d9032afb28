// A xenstore connection without a client: sends any message or any bytes, and takes what comes back one by one.
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

export interface RawReply {
  readonly type: XenstoreType | undefined
  readonly requestId: number
  readonly transactionId: number
  readonly payload: Buffer
  readonly strings: string[]
}

export class RawXenstore {
  readonly transport: XenstoreTransport
  /** Resolves when the store has closed the connection. */
  readonly closed: Promise<void>
  readonly #frames = new XenstoreFrames()
  readonly #replies: RawReply[] = []
  readonly #events: string[][] = []
  #wake = (): void => {}
  #ended = false

  constructor(transport: XenstoreTransport) {
    this.transport = transport
    transport.ref()
    this.closed = new Promise((resolve) => {
      transport.onClose(() => {
        this.#ended = true
        this.#wake()
        resolve()
      })
    })
    transport.onData((bytes) => {
      this.#frames.push(new Uint8Array(bytes))
      for (let message = this.#frames.next(); message !== undefined; message = this.#frames.next()) this.#sort(message)
      this.#wake()
    })
  }

  /** Watch events so far, path and token each. */
  get events(): readonly string[][] {
    return this.#events
  }

  send(type: XenstoreType | number, payload: Uint8Array | readonly string[], ids: Partial<XenstoreMessage> = {}): void {
    this.transport.send(
      encodeXenstoreMessage({
        type: typeof type === 'number' ? type : XENSTORE_TYPES[type],
        requestId: ids.requestId ?? 1,
        transactionId: ids.transactionId ?? 0,
        payload: payload instanceof Uint8Array ? payload : encodeStrings(payload),
      }),
    )
  }

  /** The next reply that is no watch event. Rejects when the connection is closed instead. */
  async reply(): Promise<RawReply> {
    while (this.#replies.length === 0) {
      if (this.#ended) throw new Error('the store closed the connection')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#replies.shift()!
  }

  async ask(
    type: XenstoreType | number,
    payload: Uint8Array | readonly string[],
    ids: Partial<XenstoreMessage> = {},
  ): Promise<RawReply> {
    this.send(type, payload, ids)
    return this.reply()
  }

  /** The error's name that a request is answered with; `undefined` when it succeeds. */
  async refusal(
    type: XenstoreType | number,
    payload: Uint8Array | readonly string[],
    ids: Partial<XenstoreMessage> = {},
  ): Promise<string | undefined> {
    const reply = await this.ask(type, payload, ids)
    return reply.type === 'ERROR' ? reply.strings[0] : undefined
  }

  close(): void {
    this.transport.close()
  }

  #sort({ type, requestId, transactionId, payload }: XenstoreMessage): void {
    const { strings } = decodeStrings(payload)
    const name = xenstoreTypeName(type)
    if (name === 'WATCH_EVENT') this.#events.push(strings)
    else this.#replies.push({ type: name, requestId, transactionId, payload, strings })
  }
}
