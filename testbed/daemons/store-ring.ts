// A guest's end of its xenstore ring (xen/include/public/io/xs_wire.h, struct xenstore_domain_interface): bytes out,
// bytes in. What they mean is the business of guest-store.ts.
import { native } from '../../src/native.js'

const RING_BYTES = 1024
const RESPONSES_AT = 1024
/** Indices into the page as u32 words; each counts bytes and wraps at 2^32. */
const REQ_CONS = 512
const REQ_PROD = 513
const RSP_CONS = 514
const RSP_PROD = 515

export class StoreRing {
  readonly #mapping: { readonly buffer: ArrayBuffer; close(): void }
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #notify: () => void
  #outgoing: Uint8Array[] = []
  #receive: (bytes: Uint8Array) => void = () => {}
  #end: () => void = () => {}
  #closed = false

  constructor(fd: number, notify: () => void) {
    this.#mapping = new (native().Mapping)(Float64Array.of(fd, 0, 4096), true)
    this.#words = new Int32Array(this.#mapping.buffer)
    this.#bytes = new Uint8Array(this.#mapping.buffer)
    this.#notify = notify
  }

  /** The one receiver, and who hears of the end. */
  attach(receive: (bytes: Uint8Array) => void, end: () => void): void {
    this.#receive = receive
    this.#end = end
  }

  /** Queued until there is room. */
  send(bytes: Uint8Array): void {
    if (this.#closed) return
    this.#outgoing.push(bytes)
    if (this.#fill()) this.#notify()
  }

  /** The daemon has moved an index. */
  onEvent(): void {
    const received = this.#drain()
    const sent = !this.#closed && this.#fill()
    if (received || sent) this.#notify()
  }

  close(): void {
    this.#closed = true
    this.#mapping.close()
    this.#end()
  }

  /** Order matters: bytes first, then the index. */
  #fill(): boolean {
    let moved = false
    for (let next = this.#outgoing[0]; next !== undefined; next = this.#outgoing[0]) {
      const prod = Atomics.load(this.#words, REQ_PROD) >>> 0
      const room = RING_BYTES - ((prod - Atomics.load(this.#words, REQ_CONS)) >>> 0)
      const now = next.subarray(0, Math.min(room, RING_BYTES - (prod % RING_BYTES)))
      if (now.length === 0) break
      this.#bytes.set(now, prod % RING_BYTES)
      Atomics.store(this.#words, REQ_PROD, prod + now.length)
      moved = true
      if (now.length === next.length) this.#outgoing.shift()
      else this.#outgoing[0] = next.subarray(now.length)
    }
    return moved
  }

  /** Order matters: the index is given back when the bytes are copied out. */
  #drain(): boolean {
    let moved = false
    while (!this.#closed) {
      const cons = Atomics.load(this.#words, RSP_CONS) >>> 0
      const ready = (Atomics.load(this.#words, RSP_PROD) - cons) >>> 0
      const count = Math.min(ready, RING_BYTES - (cons % RING_BYTES))
      if (count === 0) break
      const start = RESPONSES_AT + (cons % RING_BYTES)
      const bytes = this.#bytes.slice(start, start + count)
      Atomics.store(this.#words, RSP_CONS, cons + count)
      moved = true
      this.#receive(bytes)
    }
    return moved
  }
}
