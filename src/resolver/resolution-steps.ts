// Writes down what a resolution did, when, and what came of it. Steps may overlap.

/** What a step of a resolution did. */
export type ResolutionStepKind =
  /** Read the text. */
  | 'read'
  /** Found the rule for the host's suffix. */
  | 'rule'
  /** Found the TCP port and the protection of a service, in the table of services or in the text. */
  | 'service'
  /** Asked the store which physical host this is. */
  | 'host-id'
  /** Asked DNS for the conduit of a name, by SVCB or by TXT. */
  | 'svcb'
  | 'txt'
  /** Compared the hosts that DNS named with this one. */
  | 'compare'
  /** Asked for IP addresses. */
  | 'addresses'
  /** Sent one question to DNS servers: part of `svcb`, `txt` or `addresses`. */
  | 'query'

/** One step of a resolution. Plain JSON. */
export interface ResolutionStep {
  /** What was done. */
  readonly step: ResolutionStepKind
  /** What came of it, for people. */
  readonly result: string
  /** Whether it came to nothing by an error. */
  readonly failed: boolean
  /** When it began, in milliseconds since the resolution did. */
  readonly atMs: number
  /** How long it took, in milliseconds. */
  readonly ms: number
}

export class ResolutionSteps {
  readonly #now: () => number
  readonly #startMs: number
  readonly #onStep: (step: ResolutionStep) => void
  readonly #steps: ResolutionStep[] = []
  #over = false

  constructor(now: () => number, onStep: (step: ResolutionStep) => void = () => undefined) {
    this.#now = now
    this.#startMs = now()
    this.#onStep = onStep
  }

  /** In the order they began. What is still under way is given up, and is not told any more. */
  finish(): readonly ResolutionStep[] {
    this.#over = true
    return this.#steps.toSorted((a, b) => a.atMs - b.atMs)
  }

  run<T>(step: ResolutionStepKind, work: () => T, tell: (value: T) => string): T {
    const atMs = this.#now()
    try {
      const value = work()
      this.#add(step, atMs, tell(value), false)
      return value
    } catch (error) {
      this.#add(step, atMs, (error as Error).message, true)
      throw error
    }
  }

  async wait<T>(
    step: ResolutionStepKind,
    work: () => Promise<T>,
    tell: (value: T) => string,
    tellFailure = (why: string): string => why,
  ): Promise<T> {
    const atMs = this.#now()
    try {
      const value = await work()
      this.#add(step, atMs, tell(value), false)
      return value
    } catch (error) {
      this.#add(step, atMs, tellFailure(error instanceof Error ? error.message : String(error)), true)
      throw error
    }
  }

  #add(step: ResolutionStepKind, atMs: number, result: string, failed: boolean): void {
    if (this.#over) return
    const told = { step, result, failed, atMs: atMs - this.#startMs, ms: this.#now() - atMs }
    this.#steps.push(told)
    this.#onStep(told)
  }
}
