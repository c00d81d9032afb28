// Collects events and lets a test wait for one, without clocks.

export class EventLog {
  readonly events: string[] = []
  readonly #waiting = new Set<() => void>()

  /** Hand this to whoever reports. */
  readonly listener = (event: string): void => {
    this.events.push(event)
    for (const check of [...this.#waiting]) check()
  }

  /** Resolves once `event` has come, now or before. */
  async seen(event: string): Promise<void> {
    await this.until(() => this.events.includes(event))
  }

  /** Resolves once `condition` holds; looked at after each event. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }

  clear(): void {
    this.events.length = 0
  }
}
