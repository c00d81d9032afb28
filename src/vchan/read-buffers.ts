// Buffers for what is read: small ones are cut from a slab that all sockets share, as node's own pool is; large ones
// stand alone. The ring's own memory never leaves vchan: these are ordinary memory.

const SLAB_BYTES = 64 * 1024
/** Above this a buffer of its own costs less than the slab it would hold on to. */
const SMALL_BYTES = 8 * 1024
const CHUNK_BYTES_MAX = 64 * 1024
/** Full chunks in a row after which a stream counts as bulk, and what its chunks are cut from then. */
const BULK_AFTER = 16
const BULK_SLAB_BYTES = 1024 * 1024

/** Memory that is given out from its start to its end, and then renewed: what was given out lives on its own. */
class Slab {
  readonly #bytes: number
  #memory: Buffer | undefined
  #used = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  cut(bytes: number): Buffer {
    if (this.#memory === undefined || this.#used + bytes > this.#bytes) {
      this.#memory = Buffer.allocUnsafeSlow(this.#bytes)
      this.#used = 0
    }
    const start = this.#used
    // Rounded up: aligned copies are faster.
    this.#used = (start + bytes + 7) & ~7
    return this.#memory.subarray(start, start + bytes)
  }
}

/** Of this thread: an idle socket holds no memory for what it may read one day. */
const small = new Slab(SLAB_BYTES)

export class ReadBuffers {
  #bulk: Slab | undefined
  #fullChunks = 0

  /** A buffer for `ready` bytes, or for the most that is moved at once. */
  take(ready: number): Buffer {
    if (ready >= CHUNK_BYTES_MAX) return this.#takeFull()
    this.#fullChunks = 0
    this.#bulk = undefined
    return ready > SMALL_BYTES ? Buffer.allocUnsafeSlow(ready) : small.cut(ready)
  }

  /** The allocator gives freed chunks of this size back to the kernel, and faults them in again: not so slabs. */
  #takeFull(): Buffer {
    if (this.#fullChunks < BULK_AFTER) {
      this.#fullChunks++
      return Buffer.allocUnsafeSlow(CHUNK_BYTES_MAX)
    }
    this.#bulk ??= new Slab(BULK_SLAB_BYTES)
    return this.#bulk.cut(CHUNK_BYTES_MAX)
  }
}
