// One boot as its askers see it: how many they are, what each waits for, and what became of it.
import { untilAborted } from '../conduit/deadline.js'
import type { ConduitError } from '../errors.js'
import type { ReplyWhen } from './summon.js'
import type { TimelineRecord } from './timeline-recorder.js'

const NEVER = new AbortController().signal

export class Boot {
  readonly timeline: TimelineRecord
  readonly #started = new Milestone()
  readonly #ready = new Milestone()
  #waiting = 0
  #answered = false
  #gone = false

  constructor(timeline: TimelineRecord) {
    this.timeline = timeline
  }

  /** @throws ConduitError what the boot failed with; the signal's reason */
  async answer(until: ReplyWhen, signal: AbortSignal = NEVER): Promise<void> {
    this.timeline.asked()
    if (until !== 'immediate') {
      this.#waiting++
      try {
        const milestone = until === 'ready' ? this.#ready : this.#started
        await (signal === NEVER ? milestone.reached : untilAborted(milestone.reached, signal))
      } catch (error) {
        if (signal.aborted) this.#gone = true
        throw error
      } finally {
        this.#waiting--
      }
    }
    this.#answered = true
    this.timeline.step('answered')
  }

  /** Not when it fails before. */
  onStarted(listener: () => void): void {
    this.#started.reached.then(listener, () => undefined)
  }

  launched(): void {
    this.#started.reach()
  }

  ready(): void {
    this.timeline.step('ready')
    // Nobody who asked has waited for it.
    const abandoned = this.#gone && !this.#answered && this.#waiting === 0
    this.#started.reach()
    this.#ready.reach()
    this.timeline.end(abandoned ? 'abandoned' : 'ready')
  }

  failed(error: ConduitError): void {
    this.#started.fail(error)
    this.#ready.fail(error)
    this.timeline.end('failed', error.message)
  }
}

/** Reached once, or never to be reached. */
class Milestone {
  readonly reached: Promise<void>
  reach!: () => void
  fail!: (error: ConduitError) => void

  constructor() {
    this.reached = new Promise((resolve, reject) => {
      this.reach = resolve
      this.fail = reject
    })
    // There may be nobody who waits.
    this.reached.catch(() => undefined)
  }
}
