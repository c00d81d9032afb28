// Before the event loop may sleep on a channel: spin where it pays, else ask the peer to tell and look once more.
// That no wake-up is lost (protocol/vchan.md I5) rests on this file. It moves no bytes and knows nothing of ends.
import type { EventChannel, Pages, Wake } from '../substrate/substrate.js'
import { forgetActivity, isAlone, noteActivity } from './activity.js'
import type { ControlPage } from './control-page.js'
import type { RingReader } from './ring-reader.js'
import type { RingWriter } from './ring-writer.js'
import { SpinPolicy } from './spin-policy.js'

const DATA = 1
const SPACE = 2
/** Where in the state the substrate says that others needed the CPU. */
const CROWDED = 3

export class Sleeper {
  spinHits = 0
  spinMisses = 0
  lateLooks = 0
  private readonly event: EventChannel
  private readonly reader: RingReader
  private readonly writer: RingWriter
  private readonly spin: SpinPolicy
  private readonly writeSpin: SpinPolicy
  /** Seen prod, seen cons, mask of what is waited for: read by the substrate while it spins. And its word on the spin. */
  private readonly state = new Int32Array(4)
  /** DATA, SPACE: what the owner found missing since the last wake-up. */
  private wants = 0
  private inWake = false
  private spinning = false
  /** When it was last certain that the loop would sleep on this channel, in ms; 0 since then woken. */
  private asleepSince = 0
  /** Whether this substrate is known to call back from a spin: undefined until it has. */
  private spins: boolean | undefined

  constructor(
    event: EventChannel,
    control: Pages,
    rings: { page: ControlPage; reader: RingReader; writer: RingWriter },
    spinMicros: number | undefined,
  ) {
    this.event = event
    this.reader = rings.reader
    this.writer = rings.writer
    this.spin = new SpinPolicy(spinMicros, event.wakeMicros)
    this.writeSpin = new SpinPolicy(spinMicros, event.wakeMicros)
    event.spinOn({ pages: control, offsets: rings.page.watched, state: this.state })
  }

  get awake(): boolean {
    return this.inWake
  }

  /** The owner found nothing to read. True when something has come meanwhile: read again. */
  missesData(): boolean {
    return this.misses(DATA)
  }

  /** The owner found no space. True when some was freed meanwhile: write again. */
  missesSpace(): boolean {
    return this.misses(SPACE)
  }

  /** Wait a moment for space without sleeping: true when there is some. */
  spinForSpace(): boolean {
    noteActivity(this)
    if (this.inWake || this.spins === false || !isAlone(this)) return false
    const micros = this.writeSpin.micros()
    if (micros === 0) return false
    this.state[1] = this.writer.seen
    this.state[2] = SPACE
    const moved = this.event.spin(micros)
    this.judge(this.writeSpin, moved)
    return moved
  }

  /** A wake-up begins: what is missing must be found missing again. */
  wake(wake: Wake): void {
    if (wake === 'event') {
      this.learnFromSleep()
      this.reader.disarm()
      this.writer.disarm()
      if (this.spinning && this.spins === undefined) this.spins = false
    } else {
      this.spins = true
      this.learn(wake)
    }
    noteActivity(this)
    this.spinning = false
    this.inWake = true
    this.wants = 0
  }

  /**
   * The wake-up ends. Returns microseconds to spin, 0 to sleep, or -1 when the peer has moved: wake again.
   * @throws ConduitError VCHAN_CORRUPT
   */
  rest(wake: Wake, maySpin: boolean): number {
    this.inWake = false
    if (this.wants === 0) return 0
    const micros = maySpin && wake !== 'idle' && this.spins !== false && isAlone(this) ? this.spin.micros() : 0
    // A substrate may ignore spinning and just sleep: until it has called back once, be armed as well.
    if (micros > 0 && this.spins === true) return this.startSpin(micros)
    if (this.arm(this.wants)) return -1
    // A sleep after a spin in vain says nothing: the spin was the test.
    if (wake !== 'idle') this.fallAsleep()
    return micros > 0 ? this.startSpin(micros) : 0
  }

  retire(): void {
    forgetActivity(this)
  }

  private startSpin(micros: number): number {
    this.spinning = true
    this.state[0] = this.reader.seen
    this.state[1] = this.writer.seen
    this.state[2] = this.wants
    return micros
  }

  private misses(what: number): boolean {
    this.wants |= what
    // Armed before sleeping, by rest() or when the spin ends.
    if (this.inWake) return false
    if (!this.spinning) {
      const moved = this.arm(what)
      if (!moved) this.fallAsleep()
      return moved
    }
    this.startSpin(0)
    return false
  }

  private arm(what: number): boolean {
    const data = (what & DATA) !== 0 && this.reader.arm()
    const space = (what & SPACE) !== 0 && this.writer.arm()
    if (data || space) this.lateLooks++
    return data || space
  }

  private fallAsleep(): void {
    if (this.spin.adapts) this.asleepSince = performance.now()
  }

  /** A sleep that was hardly longer than the wake-up itself: spinning would have met the peer. */
  private learnFromSleep(): void {
    if (this.asleepSince === 0) return
    const sleptMicros = (performance.now() - this.asleepSince) * 1000
    this.asleepSince = 0
    this.spin.slept(sleptMicros)
    this.writeSpin.slept(sleptMicros)
  }

  private learn(wake: Wake): void {
    if (wake === 'moved') this.spinHits++
    else if (this.spinning) this.spinMisses++
    else return
    this.judge(this.spin, wake === 'moved')
  }

  private judge(spin: SpinPolicy, moved: boolean): void {
    if (this.state[CROWDED] !== 0) {
      this.state[CROWDED] = 0
      spin.crowded()
    } else if (moved) {
      spin.hit()
    } else {
      spin.miss()
    }
  }
}
