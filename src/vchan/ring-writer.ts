// The writing end of one ring: copies in, then publishes `prod`. `prod` is mine alone and never read back from the
// page; the peer's `cons` is loaded once, checked, and kept until it no longer suffices (protocol/vchan.md I1, I3).
import { NOTIFY } from '../../protocol/vchan-page.js'
import type { ControlPage } from './control-page.js'
import type { RingMemory } from './ring-memory.js'
import { corrupt } from './vchan-error.js'

export class RingWriter {
  readonly sizeBytes: number
  /** The peer's cons as last seen, an int32. */
  seen: number
  private readonly page: ControlPage
  private readonly memory: Pick<RingMemory, keyof RingMemory>
  private readonly peer: number
  private readonly sliceBytes: number
  private prod: number
  private armed: boolean
  /** Bytes published since the reader was last told within a write. */
  private published = 0

  constructor(
    page: ControlPage,
    memory: Pick<RingMemory, keyof RingMemory>,
    layout: { sizeBytes: number; sliceBytes: number; peer: number },
  ) {
    this.page = page
    this.memory = memory
    this.sizeBytes = layout.sizeBytes
    this.sliceBytes = layout.sliceBytes
    this.peer = layout.peer
    this.prod = page.loadStart().prod
    // Counts as full until the first look, which checks what the peer's index says.
    this.seen = (this.prod - layout.sizeBytes) | 0
    this.armed = false
  }

  /** Bytes known to be free without another look. */
  get known(): number {
    return this.sizeBytes - ((this.prod - this.seen) | 0)
  }

  /** Look once at the peer's cons; returns the bytes free. @throws ConduitError VCHAN_CORRUPT */
  look(): number {
    const cons = this.page.loadPeerCons()
    const used = (this.prod - cons) | 0
    // As int32: a difference over 2^31 is negative.
    if (used < 0 || used > this.sizeBytes) {
      throw corrupt(`cons ${cons >>> 0} with prod ${this.prod >>> 0} in a ring of ${this.sizeBytes}`, this.peer)
    }
    this.seen = cons
    return this.sizeBytes - used
  }

  /** Move `source[start, end)` in as far as it fits, slice by slice; returns how many bytes. @throws ConduitError VCHAN_CORRUPT */
  write(source: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end) {
      let count = this.known
      if (count < end - at) count = this.look()
      if (count === 0) break
      if (count > end - at) count = end - at
      if (count > this.sliceBytes) count = this.sliceBytes
      this.memory.put(this.prod, source, at, count)
      this.prod = (this.prod + count) | 0
      at += count
      this.publish(count)
    }
    return at - start
  }

  /**
   * Ask to be told of the next read and look again: true when cons has moved since the last look, and then
   * nobody need wait. When false, an event is certain to follow the peer's next read.
   * @throws ConduitError VCHAN_CORRUPT
   */
  arm(): boolean {
    if (!this.armed) {
      this.page.request(NOTIFY.READ)
      this.armed = true
    }
    const before = this.seen
    this.look()
    return this.seen !== before
  }

  /** An event came: the peer has cleared the request, or may have. */
  disarm(): void {
    this.armed = false
  }

  private publish(bytes: number): void {
    this.page.publishProd(this.prod)
    // A reader asleep on an empty ring starts while the rest is copied; one that never spins, such as libxenvchan, would
    // be woken for every slice and sleep again after each.
    this.published += bytes
    if (this.published < this.sizeBytes >>> 1) return
    this.published = 0
    this.page.payOwed()
  }
}
