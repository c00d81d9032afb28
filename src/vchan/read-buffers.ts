// Buffers for what is read: small ones are cut from a shared slab, large ones stand alone. The ring's own memory
// never leaves vchan: these are ordinary memory.

const SLAB_BYTES = 64 * 1024
/** Above this a buffer of its own costs less than the slab it would hold on to. */
const SMALL_BYTES = 8 * 1024
const CHUNK_BYTES_MAX = 64 * 1024

export class ReadBuffers {
  #slab = Buffer.allocUnsafeSlow(0)
  #used = 0

  /** A buffer for `ready` bytes, or for the most that is moved at once. */
  take(ready: number): Buffer {
    if (ready > SMALL_BYTES) return Buffer.allocUnsafeSlow(Math.min(ready, CHUNK_BYTES_MAX))
    if (this.#used + ready > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#used = 0
    }
    const start = this.#used
    // Rounded up: aligned copies are faster.
    this.#used = (start + ready + 7) & ~7
    return this.#slab.subarray(start, start + ready)
  }
}
