// What a client sent before there was anybody to give it to. Grows as it fills and never beyond its limit.

/** Room at first: a client that says little costs little. */
const FIRST_BYTES = 2048

export class KeptBytes {
  readonly #limit: number
  #buffer: Buffer
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(limit, FIRST_BYTES))
  }

  get full(): boolean {
    return this.#used === this.#limit
  }

  /** Where to put what comes next; empty when full. Say {@link filled} afterwards. */
  room(): Uint8Array {
    if (this.#used === this.#buffer.length && !this.full) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#limit, 2 * this.#buffer.length))
      this.#buffer.copy(larger)
      this.#buffer = larger
    }
    return this.#buffer.subarray(this.#used)
  }

  filled(bytes: number): void {
    this.#used += bytes
  }

  /** All that was kept. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }
}
