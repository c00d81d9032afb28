// Buffers for what is read: small ones are cut from a shared slab, large ones stand alone. The ring's own memory
// never leaves vchan: these are ordinary memory.

const SLAB_BYTES = 64 * 1024
/** Above this a buffer of its own costs less than the slab it would hold on to. */
const SMALL_BYTES = 8 * 1024
const CHUNK_BYTES_MAX = 64 * 1024
/** Full chunks in a row after which a stream counts as bulk, and what its chunks are cut from then. */
const BULK_AFTER = 16
const BULK_SLAB_BYTES = 1024 * 1024

export class ReadBuffers {
  #slab = Buffer.allocUnsafeSlow(0)
  #used = 0
  #fullChunks = 0

  /** A buffer for `ready` bytes, or for the most that is moved at once. */
  take(ready: number): Buffer {
    if (ready >= CHUNK_BYTES_MAX) return this.#takeFull()
    this.#fullChunks = 0
    return ready > SMALL_BYTES ? Buffer.allocUnsafeSlow(ready) : this.#cut(ready, SLAB_BYTES)
  }

  /** The allocator gives freed chunks of this size back to the kernel, and faults them in again: not so slabs. */
  #takeFull(): Buffer {
    if (this.#fullChunks >= BULK_AFTER) return this.#cut(CHUNK_BYTES_MAX, BULK_SLAB_BYTES)
    this.#fullChunks++
    return Buffer.allocUnsafeSlow(CHUNK_BYTES_MAX)
  }

  #cut(ready: number, slabBytes: number): Buffer {
    if (this.#slab.length !== slabBytes || this.#used + ready > slabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes)
      this.#used = 0
    }
    const start = this.#used
    // Rounded up: aligned copies are faster.
    this.#used = (start + ready + 7) & ~7
    return this.#slab.subarray(start, start + ready)
  }
}
