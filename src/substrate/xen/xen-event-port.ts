// One port of the environment's: its handler, and what came before there was one.
import type { EvtchnPort } from '../../../protocol/xen.js'
import type { EventChannel, EventHandler, SpinWatch, Wake } from '../substrate.js'
import type { EventTable } from './event-table.js'
import { XenPages } from './xen-pages.js'

/**
 * An event channel, the peer's scheduling and ours: measured in an emulated machine, where a round trip takes 470 µs asleep
 * and 250 µs with a spin of 200 µs. What it costs less on real hardware, the spin ends earlier.
 */
const WAKE_MICROS = 200

/** A {@link SpinWatch} over pages that this substrate mapped. */
interface XenSpinWatch extends SpinWatch {
  readonly pages: XenPages
}

export class XenEventPort implements EventChannel {
  readonly port: EvtchnPort
  readonly wakeMicros = WAKE_MICROS
  watch: XenSpinWatch | undefined
  readonly #table: EventTable
  #handler: EventHandler | undefined
  /** Fired before there was a handler. */
  #early = false
  #held = false
  #closed = false

  constructor(port: EvtchnPort, table: EventTable) {
    this.port = port
    this.#table = table
  }

  notify(): void {
    if (!this.#closed) this.#table.notify(this.port)
  }

  onEvent(handler: EventHandler): void {
    if (this.#closed) return
    this.#handler = handler
    if (!this.#early) return
    this.#early = false
    // In a turn of its own, as if it came now.
    setImmediate(() => {
      if (this.wake('event') > 0) this.wake('idle')
    })
  }

  spinOn(watch: SpinWatch): void {
    if (!this.#closed && watch.pages instanceof XenPages) this.watch = watch as XenSpinWatch
  }

  spin(micros: number): boolean {
    return !this.#closed && this.#table.spin(this, micros)
  }

  ref(): void {
    if (this.#held || this.#closed) return
    this.#held = true
    this.#table.hold(1)
  }

  unref(): void {
    if (!this.#held) return
    this.#held = false
    this.#table.hold(-1)
  }

  /** It fired. Returns microseconds to spin. */
  fire(): number {
    if (this.#handler !== undefined) return this.wake('event')
    this.#early = true
    return 0
  }

  /** Run the handler. Returns microseconds to spin; after `idle` none. */
  wake(wake: Wake): number {
    if (this.#closed || this.#handler === undefined) return 0
    const micros = this.#handler(wake)
    return wake === 'idle' || this.#closed ? 0 : micros
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.unref()
    this.#closed = true
    this.#table.remove(this)
    return Promise.resolve()
  }
}
