// How each direction of a channel ends: drained before it is over, a crash told from an end, half-close where the peer
// knows end marks (protocol/vchan.md I6–I8). Moves no bytes.
import { END_STATE } from '../../protocol/vchan-page.js'
import type { Domid } from '../../protocol/xen.js'
import type { ChannelParts } from './channel-parts.js'
import type { ControlPage } from './control-page.js'
import type { Direction, PeerStatus } from './peer-status.js'
import type { RingReader } from './ring-reader.js'
import type { RingWriter } from './ring-writer.js'
import type { Sleeper } from './sleeper.js'
import { brokenPipe, peerGone, vanishedOnTheWay } from './vchan-error.js'

/** My direction: writable; ended, and the peer must still read what was written; ended. */
export type Outbound = 'open' | 'ending' | 'ended'

export class ChannelEnds {
  /** The peer's direction as far as it has been read. */
  inbound: Direction = 'open'
  outbound: Outbound = 'open'
  /** Bytes that the peer had not read when it was found gone. */
  lostBytes = 0
  /** Whether my end waits until the peer has read everything, also where end marks would let it go at once. */
  lingers = false
  private readonly peer: Domid
  private readonly endMarks: boolean
  private readonly page: ControlPage
  private readonly reader: RingReader
  private readonly writer: RingWriter
  private readonly status: PeerStatus
  private readonly sleeper: Sleeper
  private hungUp = false

  constructor(
    { peer, endMarks }: Pick<ChannelParts, 'peer' | 'endMarks'>,
    rings: { page: ControlPage; reader: RingReader; writer: RingWriter },
    status: PeerStatus,
    sleeper: Sleeper,
  ) {
    this.peer = peer
    this.endMarks = endMarks
    this.page = rings.page
    this.reader = rings.reader
    this.writer = rings.writer
    this.status = status
    this.sleeper = sleeper
  }

  /** The peer's direction, whatever of it is still to be read. */
  get direction(): Direction {
    return this.hungUp ? 'ended' : this.status.direction
  }

  /** Say that my last byte is out. {@link observe} tells when the direction is over. */
  end(): void {
    this.outbound = 'ending'
    // Order matters: the last prod is out since write(); the reader looks at prod again once it has seen this.
    if (this.endMarks) this.page.publishEnd(END_STATE.ENDED)
    this.page.notify()
  }

  /** Look at the peer's life and end: true when the client has just come. @throws ConduitError VCHAN_CORRUPT, ECONNRESET */
  observe(): boolean {
    const awaited = this.status.live === 'awaited'
    this.status.observe()
    if (this.status.neverCame) throw vanishedOnTheWay(this.peer)
    if (this.outbound === 'ending') this.finishEnding()
    return awaited && this.status.live !== 'awaited'
  }

  /** Nothing was there: true when something is now. Settles the end of the peer's direction. */
  mayRead(): boolean {
    if (this.inbound !== 'open') return false
    this.status.observe()
    const { direction } = this
    if (direction === 'open') return this.sleeper.missesData()
    // Bytes written just before the end are in the ring by now: drain before close.
    if (this.reader.look() > 0) return true
    if (this.reader.held === 0) this.inbound = direction
    return false
  }

  /** Fewer than `length` bytes are there: false when they are now. */
  lacksData(length: number): boolean {
    if (this.inbound !== 'open') return true
    this.status.observe()
    const { direction } = this
    if (direction === 'open') return !this.sleeper.missesData() || this.reader.known < length
    const ready = this.reader.look()
    if (ready === 0 && this.reader.held === 0) this.inbound = direction
    return ready < length
  }

  /** @throws ConduitError EPIPE, ECONNRESET */
  assertWritable(): void {
    if (this.outbound !== 'open') throw brokenPipe(this.peer, 'this side has ended')
    if (this.status.live === 'gone') {
      throw this.status.direction === 'reset' ? peerGone(this.peer) : brokenPipe(this.peer, 'the peer has closed')
    }
  }

  private finishEnding(): void {
    if (this.status.live === 'awaited') return
    if (this.status.live === 'gone') {
      this.lostBytes = this.writer.sizeBytes - this.writer.look()
      this.outbound = 'ended'
    } else if (this.status.knowsEndMarks && !this.lingers) {
      this.outbound = 'ended'
    } else if (this.writer.look() === this.writer.sizeBytes) {
      this.outbound = 'ended'
      if (!this.status.knowsEndMarks) this.hangUp()
    } else if (this.sleeper.missesSpace()) {
      this.finishEnding()
    }
  }

  /** The only end that a peer without end marks understands, and it is of both directions. */
  private hangUp(): void {
    this.hungUp = true
    this.page.sayDead()
    this.page.notify()
  }
}
