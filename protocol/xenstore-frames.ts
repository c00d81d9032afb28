// Cuts a byte stream into xenstore messages, however the bytes were split on the way. Holds at most one
// unfinished message plus what has not been taken yet; knows no types.
import { XENSTORE_HEADER_BYTES, XENSTORE_PAYLOAD_MAX, type XenstoreMessage } from './xenstore-wire.js'

/**
 * Feed with {@link push}, take with {@link next}. A length over the limit cannot be skipped, since where the next message
 * begins is then anybody's guess: {@link broken} stays true and nothing more comes out.
 */
export class XenstoreFrames {
  readonly #payloadMax: number
  #chunks: Buffer[] = []
  #bytes = 0
  #broken = false

  /** @param payloadMax most bytes of a payload; the protocol's limit unless the peer is known to exceed it */
  constructor(payloadMax = XENSTORE_PAYLOAD_MAX) {
    this.#payloadMax = payloadMax
  }

  /** The peer announced a payload over the limit. */
  get broken(): boolean {
    return this.#broken
  }

  /** Bytes pushed and not yet taken as messages. */
  get bufferedBytes(): number {
    return this.#bytes
  }

  /** Add bytes; they are not copied, and must not change until they were taken. */
  push(bytes: Uint8Array): void {
    if (this.#broken || bytes.length === 0) return
    this.#chunks.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    this.#bytes += bytes.length
  }

  /** The next whole message, `undefined` when more bytes are needed or the stream is broken. */
  next(): XenstoreMessage | undefined {
    if (this.#broken || this.#bytes < XENSTORE_HEADER_BYTES) return undefined
    const header = this.#front(XENSTORE_HEADER_BYTES)
    const length = header.readUInt32LE(12)
    if (length > this.#payloadMax) {
      this.#broken = true
      this.#chunks = []
      this.#bytes = 0
      return undefined
    }
    const total = XENSTORE_HEADER_BYTES + length
    if (this.#bytes < total) return undefined
    const frame = this.#front(total)
    this.#drop(total)
    return {
      type: frame.readUInt32LE(0),
      requestId: frame.readUInt32LE(4),
      transactionId: frame.readUInt32LE(8),
      payload: frame.subarray(XENSTORE_HEADER_BYTES, total),
    }
  }

  /** The first chunk, made at least `count` bytes long. Joins only as many chunks as that takes. */
  #front(count: number): Buffer {
    const first = this.#chunks[0]!
    if (first.length >= count) return first
    let taken = 0
    let bytes = 0
    while (bytes < count) bytes += this.#chunks[taken++]!.length
    const joined = Buffer.concat(this.#chunks.slice(0, taken), bytes)
    this.#chunks.splice(0, taken, joined)
    return joined
  }

  #drop(count: number): void {
    const first = this.#chunks[0]!
    if (first.length === count) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(count)
    this.#bytes -= count
  }
}
