// One side's view of the control page: my fields to publish, the peer's to load. It holds no state but offsets and
// what is owed to the peer; validation is the ring's and the channel's.
import { END_MARK, LIVE, NOTIFY, OFFSET } from '../../protocol/vchan-page.js'
import type { SharedWords } from './shared-words.js'

/**
 * The server allocates and grants the pages, the client maps them. The client writes the left ring, the server the
 * right one.
 */
export type Role = 'server' | 'client'

/** Kicks the other end; an EventChannel is one. */
export interface Doorbell {
  notify(): void
}

interface Fields {
  readonly myProd: number
  readonly myCons: number
  readonly peerProd: number
  readonly peerCons: number
  readonly myLive: number
  readonly peerLive: number
  /** Requests that I make and the peer acts on. */
  readonly requests: number
  /** Requests that the peer makes and I act on. */
  readonly orders: number
  readonly myEnd: number
  readonly peerEnd: number
}

const SERVER: Fields = {
  myProd: OFFSET.RIGHT_PROD,
  myCons: OFFSET.LEFT_CONS,
  peerProd: OFFSET.LEFT_PROD,
  peerCons: OFFSET.RIGHT_CONS,
  myLive: OFFSET.SRV_LIVE,
  peerLive: OFFSET.CLI_LIVE,
  requests: OFFSET.CLI_NOTIFY,
  orders: OFFSET.SRV_NOTIFY,
  myEnd: END_MARK.SERVER_OFFSET,
  peerEnd: END_MARK.CLIENT_OFFSET,
}

const CLIENT: Fields = {
  myProd: OFFSET.LEFT_PROD,
  myCons: OFFSET.RIGHT_CONS,
  peerProd: OFFSET.RIGHT_PROD,
  peerCons: OFFSET.LEFT_CONS,
  myLive: OFFSET.CLI_LIVE,
  peerLive: OFFSET.SRV_LIVE,
  requests: OFFSET.SRV_NOTIFY,
  orders: OFFSET.CLI_NOTIFY,
  myEnd: END_MARK.CLIENT_OFFSET,
  peerEnd: END_MARK.SERVER_OFFSET,
}

export class ControlPage {
  notifiesSent = 0
  /** Byte offsets of the words that the peer moves: its prod, its cons. */
  readonly watched: readonly [number, number]
  private readonly words: Pick<SharedWords, keyof SharedWords>
  private readonly doorbell: Doorbell
  private readonly at: Fields
  private readonly endMarks: number
  private owed = 0

  constructor(words: Pick<SharedWords, keyof SharedWords>, role: Role, doorbell: Doorbell, endMarks: number) {
    this.words = words
    this.doorbell = doorbell
    this.at = role === 'server' ? SERVER : CLIENT
    this.endMarks = endMarks
    this.watched = [this.at.peerProd, this.at.peerCons]
  }

  loadPeerProd(): number {
    return this.words.load32(this.at.peerProd)
  }

  loadPeerCons(): number {
    return this.words.load32(this.at.peerCons)
  }

  /** My own indices as the page has them at connect; never read again after that. */
  loadStart(): { prod: number; cons: number } {
    return { prod: this.words.load32(this.at.myProd), cons: this.words.load32(this.at.myCons) }
  }

  /** Order matters: payload first, then `prod`. The peer may read the instant prod moves. */
  publishProd(prod: number): void {
    this.words.store32(this.at.myProd, prod)
    this.owed |= NOTIFY.WRITE
  }

  /** Order matters: copy out first, then `cons`. The peer may overwrite the instant cons moves. */
  publishCons(cons: number): void {
    this.words.store32(this.at.myCons, cons)
    this.owed |= NOTIFY.READ
  }

  /** Ask to be told. The caller looks at the index again after this: the peer may have moved before it saw the bit. */
  request(bit: number): void {
    this.words.or8(this.at.requests, bit)
  }

  get owesNotify(): boolean {
    return this.owed !== 0
  }

  /** Tell the peer what was published since the last call, if it asked to be told. */
  payOwed(): void {
    const owed = this.owed
    this.owed = 0
    const asked = this.words.load8(this.at.orders) & owed
    if (asked === 0) return
    // Only whoever clears the bit notifies: a request made meanwhile is not lost, and is told once.
    if ((this.words.and8(this.at.orders, ~asked & 0xff) & asked) !== 0) this.notify()
  }

  notify(): void {
    this.notifiesSent++
    this.doorbell.notify()
  }

  loadPeerLive(): number {
    return this.words.load8(this.at.peerLive)
  }

  sayAlive(): void {
    this.words.store8(this.at.myLive, LIVE.CONNECTED)
  }

  sayDead(): void {
    this.words.store8(this.at.myLive, LIVE.DEAD)
  }

  /** Store, not OR: a client may find what the one before it left (`tools/libs/vchan/init.c`). */
  armAtConnect(): void {
    this.words.store8(this.at.requests, NOTIFY.WRITE)
  }

  /** For a server: whether the client has ever asked to be told or written, which each does at once (`tools/libs/vchan/init.c`). */
  hasPeerArrived(): boolean {
    return this.words.load8(this.at.orders) !== 0 || this.words.load32(this.at.peerProd) !== 0
  }

  loadPeerEnd(): number {
    return this.words.load8(this.endMarks + this.at.peerEnd)
  }

  publishEnd(state: number): void {
    this.words.store8(this.endMarks + this.at.myEnd, state)
  }
}
