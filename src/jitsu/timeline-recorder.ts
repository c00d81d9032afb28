// Writes down what happens in the summons of one service. Keeps the last few.
import type { MonotonicClock } from './monotonic-clock.js'
import type { SummonedBy } from './summon.js'
import type { Timeline, TimelineStep } from './timeline.js'

/** Summons of one service that are remembered. */
export const TIMELINES_PER_SERVICE = 16

export interface RecorderOptions {
  readonly service: string
  readonly clock: MonotonicClock
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** Called as it ends, and once more should a first byte come later. */
  readonly onTimeline: (timeline: Timeline) => void
}

/** One summon that is being written down. */
export class TimelineRecord {
  readonly #options: RecorderOptions
  readonly #number: number
  readonly #by: SummonedBy
  readonly #startedAtMs: number
  readonly #queryMs: number
  readonly #steps: Partial<Record<TimelineStep, number>> = { query: 0 }
  #askers = 0
  #outcome: Timeline['outcome']
  #error: string | undefined

  constructor(options: RecorderOptions, number: number, by: SummonedBy) {
    this.#options = options
    this.#number = number
    this.#by = by
    this.#startedAtMs = options.wallClock()
    this.#queryMs = options.clock.nowMs()
  }

  /** The first time counts. */
  step(step: TimelineStep): void {
    this.#steps[step] ??= this.#options.clock.nowMs() - this.#queryMs
  }

  asked(): void {
    this.#askers++
  }

  end(outcome: NonNullable<Timeline['outcome']>, error?: string): void {
    this.#outcome = outcome
    this.#error = error
    this.#options.onTimeline(this.toJSON())
  }

  firstByte(): void {
    this.step('firstByte')
    if (this.#outcome !== undefined) this.#options.onTimeline(this.toJSON())
  }

  toJSON(): Timeline {
    return {
      service: this.#options.service,
      number: this.#number,
      by: this.#by,
      startedAtMs: this.#startedAtMs,
      steps: { ...this.#steps },
      askers: this.#askers,
      outcome: this.#outcome,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }
}

export class TimelineRecorder {
  readonly #options: RecorderOptions
  readonly #records: TimelineRecord[] = []
  #number: number
  /** Of the summon whose first byte has not been seen. */
  #awaiting: TimelineRecord | undefined

  /** @param number of the last summon before this process */
  constructor(options: RecorderOptions, number: number) {
    this.#options = options
    this.#number = number
  }

  /** Of the last summon: they count up from 1. */
  get number(): number {
    return this.#number
  }

  begin(by: SummonedBy): TimelineRecord {
    const record = new TimelineRecord(this.#options, ++this.#number, by)
    this.#records.push(record)
    if (this.#records.length > TIMELINES_PER_SERVICE) this.#records.shift()
    this.#awaiting = record
    return record
  }

  /** Of something that nobody summoned: it is not kept, and has no number. */
  unrecorded(): TimelineRecord {
    return new TimelineRecord({ ...this.#options, onTimeline: () => undefined }, 0, 'admin')
  }

  sawFirstByte(): void {
    const record = this.#awaiting
    this.#awaiting = undefined
    record?.firstByte()
  }

  /** Oldest first. */
  get timelines(): Timeline[] {
    return this.#records.map((record) => record.toJSON())
  }
}
