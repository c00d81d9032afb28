// What the peer has said about its life and its direction. Everything is latched: a byte that a hostile peer sets
// back changes nothing (protocol/vchan.md I7, I8).
import { END_STATE, LIVE } from '../../protocol/vchan-page.js'
import type { ControlPage, Role } from './control-page.js'
import { corrupt } from './vchan-error.js'

/** The peer's direction: bytes may come; it wrote its last byte; it vanished before it had. */
export type Direction = 'open' | 'ended' | 'reset'

export class PeerStatus {
  live: 'awaited' | 'alive' | 'gone'
  private end: number
  private vanishedOnTheWay = false
  private readonly page: ControlPage
  private readonly peer: number
  private readonly endMarks: boolean

  /** `endMarks`: both sides' for a client, which has seen the server's; this side's offer for a server. */
  constructor(page: ControlPage, role: Role, peer: number, endMarks: boolean) {
    this.page = page
    this.peer = peer
    this.endMarks = endMarks
    this.live = role === 'server' ? 'awaited' : 'alive'
    this.end = role === 'client' && endMarks ? END_STATE.OPEN : END_STATE.UNKNOWN
  }

  /** Whether the peer knows end marks; false until a client has come. */
  get knowsEndMarks(): boolean {
    return this.end !== END_STATE.UNKNOWN
  }

  get direction(): Direction {
    if (this.end === END_STATE.ENDED) return 'ended'
    if (this.live !== 'gone') return 'open'
    return this.end === END_STATE.OPEN || this.vanishedOnTheWay ? 'reset' : 'ended'
  }

  /**
   * Look at both bytes. Order matters: live first, then the end mark, since the peer stores them the other way
   * round; whoever acts on the answer looks at prod after this.
   * @throws ConduitError VCHAN_CORRUPT
   */
  observe(): void {
    const before = this.live
    if (before !== 'gone') {
      const byte = this.page.loadPeerLive()
      if (byte === LIVE.CONNECTED) this.live = 'alive'
      else if (before !== 'awaited' || byte !== LIVE.AWAITED) this.live = 'gone'
    }
    if (this.end === END_STATE.OPEN) this.observeEnd()
    else if (before === 'awaited' && this.live !== 'awaited') this.observeArrival()
  }

  /** The client died on its way: it never said alive, and left no trace of ever having been. */
  get neverCame(): boolean {
    return this.vanishedOnTheWay
  }

  private observeEnd(): void {
    const state = this.page.loadPeerEnd()
    if (state === END_STATE.ENDED) this.end = state
    else if (state !== END_STATE.OPEN) throw corrupt(`end state ${state} after ${END_STATE.OPEN}`, this.peer)
  }

  /**
   * A client stores its end state before it says alive; one that has not by now never looks at end marks. A client that is
   * dead at the first look may have come and gone, or have died before it came: then no field of its is set, and
   * what looks like a clean end of a peer without end marks is none.
   */
  private observeArrival(): void {
    const state = this.endMarks ? this.page.loadPeerEnd() : END_STATE.UNKNOWN
    if (state > END_STATE.ENDED) throw corrupt(`end state ${state}`, this.peer)
    this.end = state
    this.vanishedOnTheWay = this.live === 'gone' && state === END_STATE.UNKNOWN && !this.page.hasPeerArrived()
  }
}
