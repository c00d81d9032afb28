// What one wake-up of a channel does: look at the peer's life, let the owner work, pay what is owed, and rest; again
// while the peer has moved. Fair to the other work of the event loop.
import type { Wake } from '../substrate/substrate.js'
import type { ControlPage } from './control-page.js'
import type { Sleeper } from './sleeper.js'
import { restored } from './vchan-error.js'

/** Rounds of the handler in one wake-up before other work of the loop gets its turn. */
const ROUNDS_MAX = 4
const NOBODY = (): void => {}

/** Whose wake-ups these are; a channel is one. */
export interface Wakeable {
  readonly peer: number
  /** Nothing may be touched any more. */
  readonly unusable: boolean
  observe(): void
  fail(error: unknown): unknown
}

export class WakeLoop {
  handler: () => void = NOBODY
  /** Events received. */
  wakeups = 0
  private readonly owner: Wakeable
  private readonly page: ControlPage
  private readonly sleeper: Sleeper
  private againQueued = false

  constructor(owner: Wakeable, page: ControlPage, sleeper: Sleeper) {
    this.owner = owner
    this.page = page
    this.sleeper = sleeper
  }

  /** Returns for how many microseconds to spin before sleeping. */
  wake(wake: Wake, maySpin: boolean): number {
    if (wake === 'lost') return this.lose()
    if (this.owner.unusable) return 0
    if (wake === 'event') this.wakeups++
    let micros = 0
    let returned = false
    try {
      for (let round = 0; round < ROUNDS_MAX; round++) {
        returned = false
        this.sleeper.wake(wake)
        if (wake !== 'moved') this.owner.observe()
        this.handler()
        returned = true
        micros = this.rest(wake, maySpin)
        if (micros >= 0) return micros
      }
    } finally {
      // The owner threw: the error is the process's, but the channel must not go deaf.
      if (!returned) micros = this.rest('idle', false)
      if (micros < 0) this.wakeLater()
    }
    return 0
  }

  /** Wake in a later turn of the loop. */
  wakeLater(): void {
    if (this.againQueued || this.owner.unusable) return
    this.againQueued = true
    setImmediate(() => {
      this.againQueued = false
      this.wake('event', false)
    })
  }

  private lose(): 0 {
    this.owner.fail(restored(this.owner.peer))
    this.handler()
    return 0
  }

  private rest(wake: Wake, maySpin: boolean): number {
    if (this.owner.unusable) return 0
    this.page.payOwed()
    try {
      return this.sleeper.rest(wake, maySpin)
    } catch (error) {
      this.owner.fail(error)
      this.handler()
      return 0
    }
  }
}
