// Calls that wait for their turn: delivered one per turn of the event loop, or by hand.

export class EventQueue {
  readonly #calls: (() => void)[] = []
  readonly #manual: boolean
  #scheduled = false

  constructor(manual: boolean) {
    this.#manual = manual
  }

  get pending(): number {
    return this.#calls.length
  }

  push(call: () => void): void {
    this.#calls.push(call)
    this.#schedule()
  }

  /** Run the oldest call; false when there is none. */
  step(): boolean {
    const call = this.#calls.shift()
    call?.()
    return call !== undefined
  }

  async settle(): Promise<void> {
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    do {
      // Two turns: a handler may itself have put off work by one.
      await turn()
      await turn()
    } while (this.step())
  }

  #schedule(): void {
    if (this.#manual || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      try {
        this.step()
      } finally {
        if (this.#calls.length > 0) this.#schedule()
      }
    })
  }
}
