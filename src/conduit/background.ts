// Work that nobody waits for, such as removing a key after a connection stands: its failure fails nothing, and closing
// waits for it so that nothing is left in the store.
import type { Clock } from './clock.js'

export class Background {
  readonly #running = new Set<Promise<void>>()
  /** Begin what waits for its time. */
  readonly #hurries = new Set<() => void>()

  /** Let `work` go on; its failure is dropped. */
  run(work: Promise<unknown>): void {
    const settled: Promise<void> = work.then(
      () => this.#forget(settled),
      () => this.#forget(settled),
    )
    this.#running.add(settled)
  }

  /** The same for what is to begin in a turn of its own, after all that is ready now: a socket goes out before its bookkeeping. */
  later(begin: () => Promise<unknown>): void {
    this.run(new Promise<void>((resolve) => setImmediate(resolve)).then(begin))
  }

  /** The same for what is to leave others the processor for a while; at once when somebody waits for all of it. */
  afterPause(clock: Clock, pauseMs: number, begin: () => Promise<unknown>): void {
    const over = new Promise<void>((resolve) => {
      const end = (): void => {
        timer.cancel()
        this.#hurries.delete(end)
        resolve()
      }
      const timer = clock.after(pauseMs, end)
      timer.unref()
      this.#hurries.add(end)
    })
    this.run(over.then(begin))
  }

  /** Until nothing is under way. */
  async settled(): Promise<void> {
    for (const hurry of [...this.#hurries]) hurry()
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #forget(settled: Promise<void>): void {
    this.#running.delete(settled)
  }
}
