// Pages that a device of Xen's mapped for us. When they go, by whatever cause, the kernel clears their notify byte and
// kicks its port: nothing of that is done here.
import type { Gref } from '../../../protocol/xen.js'
import type { NativeMapping } from '../../native.js'
import type { Mapping, Share } from '../substrate.js'

export class XenPages implements Share, Mapping {
  readonly grefs: readonly Gref[]
  readonly bytes: number
  readonly native: NativeMapping
  readonly #onClose: () => void
  #buffer: ArrayBuffer
  #closed = false

  /** @param onClose called once, after the pages are unmapped */
  constructor(mapping: NativeMapping, grefs: readonly Gref[], onClose: () => void) {
    this.native = mapping
    this.grefs = grefs
    this.#buffer = mapping.buffer
    this.bytes = this.#buffer.byteLength
    this.#onClose = onClose
  }

  get buffer(): ArrayBuffer {
    return this.#buffer
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.native.close()
    this.#buffer = this.native.buffer
    this.#onClose()
  }
}
