// The only file of vchan that touches shared fields: every access is one Atomics operation, sequentially
// consistent, so a store is visible to the peer before my next load (protocol/vchan.md, I2). Values are the
// peer's to choose: nothing here believes them.

/** Fields of a control page by byte offset. Tests put a double in its place to interleave both ends. */
export class SharedWords {
  private readonly words: Int32Array
  private readonly bytes: Uint8Array

  constructor(buffer: ArrayBuffer, pageBytes: number) {
    this.words = new Int32Array(buffer, 0, pageBytes / 4)
    this.bytes = new Uint8Array(buffer, 0, pageBytes)
  }

  /** A u32 as an int32: indices are compared and subtracted modulo 2^32 only. */
  load32(offset: number): number {
    return Atomics.load(this.words, offset >> 2)
  }

  store32(offset: number, value: number): void {
    Atomics.store(this.words, offset >> 2, value)
  }

  load8(offset: number): number {
    return Atomics.load(this.bytes, offset)
  }

  store8(offset: number, value: number): void {
    Atomics.store(this.bytes, offset, value)
  }

  /** Sets bits; returns the byte as it was. */
  or8(offset: number, bits: number): number {
    return Atomics.or(this.bytes, offset, bits)
  }

  /** Clears all but `bits`; returns the byte as it was. */
  and8(offset: number, bits: number): number {
    return Atomics.and(this.bytes, offset, bits)
  }
}
