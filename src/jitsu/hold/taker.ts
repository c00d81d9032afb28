// One process that takes connections of a service: what it was sent and has not taken yet, what it has open, whether it may have
// any at all.
import { HANDOVER_VERSION, type HandoverMessage, HandoverType, joinBytes } from '../../../protocol/handover.js'
import { HandoverLink } from '../../adopt/handover-link.js'
import { native } from '../../native.js'
import type { Service, Use } from '../summon.js'
import type { Offer } from './offer.js'
import { belongsTo } from './process-group.js'

/** Connections under way to one process: enough to keep it busy, few enough to lose with it. */
const WINDOW = 32
/** Most open connections that a process is believed to have kept from before. */
const MAX_KEPT = 65_536

export interface TakerOptions {
  readonly service: Service
  /** It can take one more, or took one. */
  onChange(taker: Taker): void
  /** It had no descriptor left for this one. */
  onRefused(taker: Taker, offer: Offer): void
  /** It has gone, with these under way. */
  onGone(taker: Taker, underWay: readonly Offer[]): void
}

/** What is known of the process: nothing yet, that the launcher started it, that it did not. */
export type Standing = 'unknown' | 'own' | 'foreign'

export class Taker {
  readonly #link: HandoverLink
  readonly #options: TakerOptions
  readonly #pid: number
  readonly #uid: number
  readonly #underWay = new Map<number, Offer>()
  #uses: Use[] = []
  #nextNumber = 0
  #greeted = false
  #welcome = false
  #stopped = false
  /** The leader of the process group that it was found to belong to. */
  #leader: number | undefined
  /** Takes nothing until somebody clears it. */
  paused = false

  /** Takes over `fd`, as accepted. */
  constructor(fd: number, options: TakerOptions) {
    this.#options = options
    const credentials = native().peerCredentials(fd)
    this.#pid = credentials.pid
    this.#uid = credentials.uid
    this.#link = new HandoverLink(fd, {
      onMessage: (message, sent) => this.#heard(message, sent),
      onClose: () => this.#gone(),
    })
    this.#link.ref()
  }

  /** Whether it may have connections of the instance that runs now. Asked anew each time: instances come and go. */
  get standing(): Standing {
    const { instance, state } = this.#options.service
    if (this.#uid !== process.getuid!()) return 'foreign'
    if (instance === undefined) return state === 'starting' ? 'unknown' : 'foreign'
    const { pid } = instance
    if (pid === undefined) return 'foreign'
    // The kernel gives no number away that is still that of a process group: once found is found.
    if (this.#leader !== pid) this.#leader = belongsTo(this.#pid, pid) ? pid : undefined
    return this.#leader === pid ? 'own' : 'foreign'
  }

  get hasRoom(): boolean {
    return this.#greeted && !this.#stopped && !this.paused && !this.#link.closed && this.#underWay.size < WINDOW
  }

  get openConnections(): number {
    return this.#uses.length
  }

  /** It is to know that it will get connections. Idempotent. */
  welcome(): void {
    if (this.#welcome || !this.#greeted) return
    this.#welcome = true
    this.#link.send(HandoverType.WELCOME)
  }

  /** False when it cannot be sent now. */
  give(offer: Offer): boolean {
    this.#nextNumber = (this.#nextNumber + 1) >>> 0
    if (!this.#link.sendDescriptor(HandoverType.CONNECTION, this.#nextNumber, offer.connection.fd)) return false
    this.#underWay.set(this.#nextNumber, offer)
    return true
  }

  /** Turn it away; what it has taken stays its own. */
  dismiss(): void {
    if (this.#link.closed) return
    this.#link.send(HandoverType.FOREIGN)
    this.close()
  }

  /** As if it had gone. Idempotent. */
  close(): void {
    if (this.#link.closed) return
    this.#link.close()
    this.#gone()
  }

  #gone(): void {
    for (const use of this.#uses) use.release()
    this.#uses = []
    const underWay = [...this.#underWay.values()]
    this.#underWay.clear()
    this.#options.onGone(this, underWay)
  }

  #heard({ type, words }: HandoverMessage, fd: number | undefined): void {
    // Descriptors go one way only.
    if (fd !== undefined) native().closeFd(fd)
    const [first = 0, second = 0] = words
    const fits = this.#greeted
      ? this.#obey(type, first, second)
      : type === HandoverType.HELLO && this.#greet(first, second)
    if (!fits) this.close()
  }

  #greet(version: number, kept: number): boolean {
    if (version !== HANDOVER_VERSION || kept > MAX_KEPT) return false
    this.#greeted = true
    // What it took from an earlier jitsud counts as before.
    for (let count = 0; count < kept; count++) this.#uses.push(this.#options.service.use())
    this.#options.onChange(this)
    return true
  }

  /** False for what no correct process says. */
  #obey(type: HandoverType, first: number, second: number): boolean {
    switch (type) {
      case HandoverType.TAKEN:
        return this.#taken(first)
      case HandoverType.REFUSED: {
        const offer = this.#underWay.get(first)
        this.#underWay.delete(first)
        if (offer !== undefined) this.#options.onRefused(this, offer)
        return offer !== undefined
      }
      case HandoverType.CLOSED:
        for (const use of this.#uses.splice(0, first)) use.release()
        return true
      case HandoverType.MOVED: {
        const bytes = joinBytes(first, second)
        if (bytes !== undefined) this.#uses.at(-1)?.moved(bytes)
        return bytes !== undefined
      }
      case HandoverType.FIRST_BYTE:
        this.#options.service.sawFirstByte()
        return true
      case HandoverType.STOP:
        this.#stopped = true
        this.#link.send(HandoverType.STOPPED)
        return true
      default:
        return false
    }
  }

  #taken(number: number): boolean {
    const offer = this.#underWay.get(number)
    if (offer === undefined) return false
    this.#underWay.delete(number)
    this.#uses.push(this.#options.service.use())
    offer.taken()
    this.#options.onChange(this)
    return true
  }
}
