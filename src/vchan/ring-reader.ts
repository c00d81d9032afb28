// The reading end of one ring: copies out, then publishes `cons`. `cons` is mine alone and never read back from the
// page; the peer's `prod` is loaded once, checked, and kept until it no longer suffices (protocol/vchan.md I1, I3).
import { NOTIFY } from '../../protocol/vchan-page.js'
import type { ControlPage } from './control-page.js'
import type { RingMemory } from './ring-memory.js'
import { corrupt } from './vchan-error.js'

export class RingReader {
  readonly sizeBytes: number
  /** The peer's prod as last seen, an int32. */
  seen: number
  /** Leave what is read in the ring, as far as the peer can tell, until it is released. */
  holds = false
  private readonly page: ControlPage
  private readonly memory: Pick<RingMemory, keyof RingMemory>
  private readonly peer: number
  private readonly sliceBytes: number
  private cons: number
  private armed: boolean
  /** Bytes freed since the writer was last told within a read. */
  private freed: number
  private heldBytes = 0

  /** `cons` is where reading starts. `armed`: the notify bit is set already, as it is at connect. */
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
    this.cons = page.loadStart().cons
    this.seen = this.cons
    this.armed = true
    this.freed = 0
  }

  /** Bytes known to be there without another look. */
  get known(): number {
    return (this.seen - this.cons) | 0
  }

  /** Bytes read and not released. */
  get held(): number {
    return this.heldBytes
  }

  /** Look once at the peer's prod; returns the bytes there. @throws ConduitError VCHAN_CORRUPT */
  look(): number {
    const prod = this.page.loadPeerProd()
    const ready = (prod - this.cons) | 0
    // As int32: a difference over 2^31 is negative.
    if (ready < 0 || ready > this.sizeBytes - this.heldBytes) {
      throw corrupt(`prod ${prod >>> 0} with cons ${this.cons >>> 0} in a ring of ${this.sizeBytes}`, this.peer)
    }
    this.seen = prod
    return ready
  }

  /** Move up to `end - start` bytes into `target`, slice by slice; returns how many. @throws ConduitError VCHAN_CORRUPT */
  read(target: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end) {
      let count = this.known
      if (count < end - at) count = this.look()
      if (count === 0) break
      if (count > end - at) count = end - at
      if (count > this.sliceBytes) count = this.sliceBytes
      this.memory.take(this.cons, target, at, count)
      this.cons = (this.cons + count) | 0
      at += count
      if (this.holds) this.heldBytes += count
      else this.free(count)
    }
    return at - start
  }

  /** Let the peer have the space of the oldest `bytes` held. @throws RangeError when fewer are held */
  release(bytes: number): void {
    if (!(bytes >= 0 && bytes <= this.heldBytes)) throw new RangeError(`${bytes} of ${this.heldBytes} bytes held`)
    this.heldBytes -= bytes
    this.free(bytes)
  }

  /**
   * Ask to be told of the next write and look again: true when prod has moved since the last look, and then
   * nobody need wait. When false, an event is certain to follow the peer's next write.
   * @throws ConduitError VCHAN_CORRUPT
   */
  arm(): boolean {
    if (!this.armed) {
      this.page.request(NOTIFY.WRITE)
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

  private free(bytes: number): void {
    this.page.publishCons((this.cons - this.heldBytes) | 0)
    // A writer asleep on a full ring starts again while the rest is copied; woken for every slice it would sleep
    // again after each.
    this.freed += bytes
    if (this.freed < this.sizeBytes >>> 1) return
    this.freed = 0
    this.page.payOwed()
  }
}
