// Message mode on the wire: u32 little-endian length, then the bytes, streamed, so a message may exceed the ring.
// Cutting apart what comes and packing what goes; queues and events are the message socket's.
import { ConduitError } from '../errors.js'

export const HEADER_BYTES = 4
const SLAB_BYTES = 64 * 1024
/** A message of this size or more is read and written on its own; smaller ones share a slab. */
const LARGE_BYTES = 8 * 1024
/** Room below which reading goes on in a new slab. */
const ROOM_BYTES_MIN = 4 * 1024
/** Up to this many bytes a loop beats TypedArray.set (Node 20, x86-64). */
const LOOP_BYTES = 48

export function tooLarge(bytes: number, maxMessageBytes: number, whose: string): ConduitError {
  return new ConduitError('EMSGSIZE', `${whose} message of ${bytes} bytes is over the limit of ${maxMessageBytes}`, {
    hint: 'raise maxMessageBytes on both sides, or send it in parts',
  })
}

/** Whence bytes come; a channel is one. */
export interface ByteSource {
  readInto(target: Uint8Array, start: number, end: number): number
}

/** Cuts a byte stream into messages. Small ones are views of a common slab of ordinary memory. */
export class MessageReader {
  readonly #maxMessageBytes: number
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #start = 0
  #end = 0
  #large: Buffer | undefined
  #filled = 0

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes
  }

  /** True in the middle of a message. */
  get partial(): boolean {
    return this.#large !== undefined || this.#end > this.#start
  }

  /** Read once and append the messages completed to `out`; returns the bytes read. @throws ConduitError EMSGSIZE */
  readFrom(source: ByteSource, out: Buffer[]): number {
    if (this.#large !== undefined) return this.#readLarge(source, this.#large, out)
    const count = source.readInto(this.#slab, this.#end, SLAB_BYTES)
    this.#end += count
    if (count > 0) this.#cut(out)
    return count
  }

  #readLarge(source: ByteSource, large: Buffer, out: Buffer[]): number {
    const count = source.readInto(large, this.#filled, large.length)
    this.#filled += count
    if (this.#filled === large.length) {
      this.#large = undefined
      out.push(large)
    }
    return count
  }

  #cut(out: Buffer[]): void {
    const slab = this.#slab
    let start = this.#start
    while (this.#end - start >= HEADER_BYTES) {
      const length =
        (slab[start]! | (slab[start + 1]! << 8) | (slab[start + 2]! << 16) | (slab[start + 3]! << 24)) >>> 0
      if (length > this.#maxMessageBytes) throw tooLarge(length, this.#maxMessageBytes, "the peer's")
      const next = start + HEADER_BYTES + length
      if (next > this.#end) {
        this.#start = start
        this.#makeRoom(length)
        return
      }
      out.push(slab.subarray(start + HEADER_BYTES, next))
      start = next
    }
    this.#start = start
    if (SLAB_BYTES - this.#end < ROOM_BYTES_MIN) this.#renew()
  }

  /** The message at `start` is not complete: see that the rest of it will have a place. */
  #makeRoom(length: number): void {
    const body = this.#start + HEADER_BYTES
    if (length >= LARGE_BYTES) {
      this.#large = Buffer.allocUnsafeSlow(length)
      this.#large.set(this.#slab.subarray(body, this.#end))
      this.#filled = this.#end - body
      this.#start = this.#end
      if (SLAB_BYTES - this.#end < ROOM_BYTES_MIN) this.#renew()
    } else if (body + length > SLAB_BYTES || SLAB_BYTES - this.#end < ROOM_BYTES_MIN) {
      this.#renew()
    }
  }

  /** The old slab belongs to the messages cut from it. */
  #renew(): void {
    const rest = this.#slab.subarray(this.#start, this.#end)
    this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    this.#slab.set(rest)
    this.#start = 0
    this.#end = rest.length
  }
}

/** Whither bytes go; a channel is one. */
export interface ByteSink {
  writeFrom(source: Uint8Array, start: number, end: number): number
}

/** Packs messages: small ones are copied together and leave in one piece, large ones are sent from where they are. */
export class MessageWriter {
  #slab = new Uint8Array(new ArrayBuffer(SLAB_BYTES))
  #used = 0
  /** What found no space, oldest first. */
  #waiting: Uint8Array[] = []
  #waitingBytes = 0

  /** Bytes that are not in the ring yet, headers included. */
  get bufferedBytes(): number {
    return this.#waitingBytes + this.#used
  }

  add(sink: ByteSink, message: Uint8Array): void {
    const { length } = message
    const large = length >= LARGE_BYTES
    if (this.#used + HEADER_BYTES + (large ? 0 : length) > SLAB_BYTES) this.flush(sink)
    const slab = this.#slab
    let at = this.#used
    slab[at++] = length
    slab[at++] = length >>> 8
    slab[at++] = length >>> 16
    slab[at++] = length >>> 24
    if (large) {
      this.#used = at
      this.flush(sink)
      this.#put(sink, message)
      return
    }
    if (length > LOOP_BYTES) slab.set(message, at)
    else for (let i = 0; i < length; i++) slab[at + i] = message[i]!
    this.#used = at + length
  }

  /** Move everything on that fits; what does not stays, in order. */
  flush(sink: ByteSink): void {
    while (this.#waiting.length > 0) {
      const first = this.#waiting[0]!
      const count = sink.writeFrom(first, 0, first.length)
      this.#waitingBytes -= count
      if (count < first.length) {
        this.#waiting[0] = first.subarray(count)
        break
      }
      this.#waiting.shift()
    }
    if (this.#used === 0) return
    const slab = this.#slab
    const used = this.#used
    this.#used = 0
    if (!this.#put(sink, slab, used)) this.#slab = new Uint8Array(new ArrayBuffer(SLAB_BYTES))
  }

  /** True when all of it has left. */
  #put(sink: ByteSink, bytes: Uint8Array, end: number = bytes.length): boolean {
    const count = this.#waiting.length > 0 ? 0 : sink.writeFrom(bytes, 0, end)
    if (count === end) return true
    this.#waiting.push(bytes.subarray(count, end))
    this.#waitingBytes += end - count
    return false
  }
}
