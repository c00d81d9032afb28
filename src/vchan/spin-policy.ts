// How long to spin before sleeping, learned from what spinning brought: give up after a few misses, try again now
// and then. Spins nothing itself, and does not know who else is busy: see activity.ts.

const MICROS_MAX = 1000
/** Below this estimate of a spin's chance, sleep. */
const WORTHWHILE = 0.2
const START = 0.5
const LEARNING_RATE = 0.25
/** A sleep shorter than so many wake-ups was mostly its own wake-up. */
const SHORT_SLEEP_WAKES = 3
/** While sleeping is the choice, spin once in so many waits to notice that the peer has become quick; a trial in vain doubles it. */
const TRIAL_EVERY = 32
const TRIAL_EVERY_MAX = 1024
/** A short sleep is a hint that a spin would have met the peer: it counts as this many waits. */
const SHORT_SLEEP_WAITS = 8
/** After a spin that lost the CPU to others for long: waits until the next trial, doubled by each such spin in a row. */
const CROWDED_TRIAL_EVERY = 512
const CROWDED_TRIAL_EVERY_MAX = 16384

/** @throws RangeError when `micros` is no integer in 0…1000 */
export function checkSpinMicros(micros: number | undefined): void {
  if (micros === undefined || (Number.isInteger(micros) && micros >= 0 && micros <= MICROS_MAX)) return
  throw new RangeError(`spinMicros ${micros} is not an integer in 0…${MICROS_MAX}`)
}

export class SpinPolicy {
  private readonly fixed: number | undefined
  /** Longest spin that is chosen without being asked for. */
  private readonly wakeMicros: number
  private chance = START
  /** Since the last trial. */
  private waits = 0
  private trialEvery = TRIAL_EVERY

  /**
   * `micros`: 0 never spins, a number always asks for that many, undefined adapts: as long as waking an idle peer costs,
   * `wakeMicros`, where that brings something.
   * @throws RangeError when `micros` is no integer in 0…1000
   */
  constructor(micros: number | undefined, wakeMicros: number) {
    checkSpinMicros(micros)
    this.fixed = micros
    this.wakeMicros = wakeMicros
  }

  /** Whether it learns; a number that was asked for stays. */
  get adapts(): boolean {
    return this.fixed === undefined
  }

  /** Microseconds to spin now; 0 to sleep. */
  micros(): number {
    if (this.fixed !== undefined) return this.fixed
    if (this.chance >= WORTHWHILE) return this.wakeMicros
    if (++this.waits < this.trialEvery) return 0
    this.waits = 0
    return this.wakeMicros
  }

  /** The channel slept for that long, its wake-up included. */
  slept(micros: number): void {
    if (micros < SHORT_SLEEP_WAKES * this.wakeMicros) this.waits += SHORT_SLEEP_WAITS
  }

  hit(): void {
    this.chance += (1 - this.chance) * LEARNING_RATE
    this.trialEvery = TRIAL_EVERY
  }

  miss(): void {
    if (this.chance < WORTHWHILE) this.trialEvery = Math.min(this.trialEvery * 2, TRIAL_EVERY_MAX)
    this.chance -= this.chance * LEARNING_RATE
  }

  /**
   * The spin gave way to other processes for milliseconds. Who sleeps is woken past those; so spinning can only lose
   * while there are such, whether or not the peer had moved in the end.
   */
  crowded(): void {
    const longer = this.chance === 0 ? this.trialEvery * 2 : CROWDED_TRIAL_EVERY
    this.trialEvery = Math.min(longer, CROWDED_TRIAL_EVERY_MAX)
    this.chance = 0
    this.waits = 0
  }
}
