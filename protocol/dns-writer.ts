// Bytes of a message, in order, with name compression (RFC 1035 4.1.4). Grows as needed; knows no records.
import { nameLabels } from './dns-name.js'

/** Pointers have 14 bits. */
const POINTER_REACH = 0x4000

export class DnsWriter {
  #buffer = Buffer.allocUnsafe(512)
  #length = 0
  /** Where each name, or end of one, was written first. */
  readonly #names = new Map<string, number>()

  get length(): number {
    return this.#length
  }

  u8(value: number): void {
    const at = this.#room(1)
    this.#buffer[at] = value
  }

  u16(value: number): void {
    const at = this.#room(2)
    this.#buffer.writeUInt16BE(value, at)
  }

  u32(value: number): void {
    const at = this.#room(4)
    this.#buffer.writeUInt32BE(value, at)
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#room(bytes.length)
    this.#buffer.set(bytes, at)
  }

  /** A name that may point to an earlier one. @throws RangeError when `text` is no name */
  name(text: string): void {
    const labels = this.#labels(text)
    for (let i = 0; i < labels.length; i++) {
      const rest = labels.slice(i).map(suffixKey).join('')
      const known = this.#names.get(rest)
      if (known !== undefined) {
        this.u16(0xc000 | known)
        return
      }
      if (this.#length < POINTER_REACH) this.#names.set(rest, this.#length)
      this.#label(labels[i]!)
    }
    this.u8(0)
  }

  /** A name as it is, for where compression is forbidden. @throws RangeError when `text` is no name */
  plainName(text: string): void {
    for (const label of this.#labels(text)) this.#label(label)
    this.u8(0)
  }

  /** What `write` writes, with its length in two bytes in front. */
  counted(write: () => void): void {
    this.u16(0)
    const from = this.#length
    write()
    this.#buffer.writeUInt16BE(this.#length - from, from - 2)
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length))
  }

  #labels(text: string): readonly Uint8Array[] {
    const labels = nameLabels(text)
    if (labels === undefined) throw new RangeError(`${JSON.stringify(text)} is no domain name`)
    return labels
  }

  #label(label: Uint8Array): void {
    this.u8(label.length)
    this.bytes(label)
  }

  /** Where `count` bytes go that the caller writes now. Read the buffer after this: it may be another one. */
  #room(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, at)
      this.#buffer = larger
    }
    return at
  }
}

/** Case counts: what is written is read back as it was. */
const suffixKey = (label: Uint8Array): string =>
  String.fromCharCode(label.length) + Buffer.from(label).toString('latin1')
