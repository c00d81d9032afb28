// Messages in a stream: two bytes of length, then the message (RFC 1035 4.2.2). Holds what was pushed and not shifted: whoever
// reads the stream bounds that.
import { DNS_MAX_BYTES } from './dns-types.js'

const LENGTH_BYTES = 2
/** A frame that comes byte by byte must not cost a buffer for each. */
const CHUNKS_MAX = 16

/** @throws RangeError beyond 65,535 bytes */
export function frameDns(message: Uint8Array): Buffer {
  if (message.length > DNS_MAX_BYTES) throw new RangeError(`a message of ${message.length} bytes cannot go over TCP`)
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + message.length)
  frame.writeUInt16BE(message.length, 0)
  frame.set(message, LENGTH_BYTES)
  return frame
}

/** Chunks in, messages out. */
export class DnsFrames {
  #chunks: Buffer[] = []
  #bytes = 0

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#chunks.length > CHUNKS_MAX) this.#join()
  }

  /** The next whole message, or undefined. */
  shift(): Buffer | undefined {
    if (this.#bytes < LENGTH_BYTES) return undefined
    if (this.#chunks[0]!.length < LENGTH_BYTES) this.#join()
    const total = LENGTH_BYTES + this.#chunks[0]!.readUInt16BE(0)
    if (this.#bytes < total) return undefined
    if (this.#chunks[0]!.length < total) this.#join()
    const first = this.#chunks[0]!
    if (first.length > total) this.#chunks[0] = first.subarray(total)
    else this.#chunks.shift()
    this.#bytes -= total
    return first.subarray(LENGTH_BYTES, total)
  }

  #join(): void {
    this.#chunks = [Buffer.concat(this.#chunks)]
  }
}
