// The payload bytes of one ring: copies in and out at a free-running position, split where the ring ends.
// Knows no indices and does no checks: its callers have validated position and count.

/** Up to this many bytes a loop beats TypedArray.set, which needs a view of the part (Node 20, x86-64: see bench). */
const LOOP_BYTES = 48

export class RingMemory {
  private readonly ring: Uint8Array
  private readonly mask: number

  /** `sizeBytes` is a power of two. */
  constructor(buffer: ArrayBuffer, byteOffset: number, sizeBytes: number) {
    this.ring = new Uint8Array(buffer, byteOffset, sizeBytes)
    this.mask = sizeBytes - 1
  }

  /** Copy `count` bytes of `source` from `start` into the ring. */
  put(position: number, source: Uint8Array, start: number, count: number): void {
    const ring = this.ring
    const at = position & this.mask
    const tail = this.mask + 1 - at
    if (count <= LOOP_BYTES && count <= tail) {
      for (let i = 0; i < count; i++) ring[at + i] = source[start + i]!
    } else if (count <= tail) {
      ring.set(count === source.length ? source : source.subarray(start, start + count), at)
    } else {
      ring.set(source.subarray(start, start + tail), at)
      ring.set(source.subarray(start + tail, start + count), 0)
    }
  }

  /** Copy `count` bytes of the ring into `target` from `start`. */
  take(position: number, target: Uint8Array, start: number, count: number): void {
    const ring = this.ring
    const at = position & this.mask
    const tail = this.mask + 1 - at
    if (count <= LOOP_BYTES && count <= tail) {
      for (let i = 0; i < count; i++) target[start + i] = ring[at + i]!
    } else if (count <= tail) {
      target.set(ring.subarray(at, at + count), start)
    } else {
      target.set(ring.subarray(at, at + tail), start)
      target.set(ring.subarray(0, count - tail), start + tail)
    }
  }
}
