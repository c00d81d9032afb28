// Pages of sealed memfds in this process: what share() and map() return. Clears its notify byte and kicks its
// port when it goes; what happens when the peer goes is the substrate's.
import { type Gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { type NativeMapping, native, systemError } from '../../native.js'
import type { Mapping, Share } from '../substrate.js'
import type { EventPort } from './event-port.js'

/** A run of pages of one file. */
export interface Segment {
  readonly fd: number
  readonly firstPage: number
  readonly pages: number
}

export interface LocalPagesOptions {
  readonly segments: readonly Segment[]
  readonly writable: boolean
  readonly grefs: readonly Gref[]
  readonly notify?: { readonly byteOffset: number; readonly port: EventPort | undefined } | undefined
  readonly onClose: () => void
}

export class LocalPages implements Share, Mapping {
  readonly grefs: readonly Gref[]
  readonly bytes: number
  readonly native: NativeMapping
  readonly #options: LocalPagesOptions
  readonly #releasePort: (() => void) | undefined
  #buffer: ArrayBuffer
  #closed = false

  /**
   * The caller has checked that the files are sealed and long enough.
   * @throws ConduitError MAPPING_FAILED
   */
  constructor(options: LocalPagesOptions) {
    const triples = options.segments.flatMap(({ fd, firstPage, pages }) => [
      fd,
      firstPage * PAGE_BYTES,
      pages * PAGE_BYTES,
    ])
    try {
      this.native = new (native().Mapping)(Float64Array.from(triples), options.writable)
    } catch (cause) {
      throw systemError(cause, `map ${options.grefs.length} pages`, 'MAPPING_FAILED')
    }
    // postMessage would detach it behind the ring's back: node itself marks external memory as untransferable. Not
    // markAsUntransferable(): from Node 24 on it sets a detach key too, at which napi_detach_arraybuffer ends the process.
    this.#buffer = this.native.buffer
    this.grefs = options.grefs
    this.bytes = this.#buffer.byteLength
    this.#options = options
    this.#releasePort = options.notify?.port?.retain()
  }

  get buffer(): ArrayBuffer {
    return this.#buffer
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Clear a byte on behalf of a peer that can no longer do it. */
  clearByte(byteOffset: number): void {
    if (!this.#closed && this.#options.writable) Atomics.store(new Uint8Array(this.#buffer), byteOffset, 0)
  }

  close(): void {
    if (this.#closed) return
    const { notify, onClose } = this.#options
    // Order matters: the byte, then the kick, then the pages, as gntdev and gntalloc do it.
    if (notify !== undefined) this.clearByte(notify.byteOffset)
    this.#closed = true
    notify?.port?.notify()
    this.#releasePort?.()
    this.native.close()
    this.#buffer = this.native.buffer
    onClose()
  }
}
