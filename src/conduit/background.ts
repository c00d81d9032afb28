// Work that nobody waits for, such as removing a key after a connection stands: its failure fails nothing, and closing
// waits for it so that nothing is left in the store.

export class Background {
  readonly #running = new Set<Promise<void>>()

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

  /** Until nothing is under way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #forget(settled: Promise<void>): void {
    this.#running.delete(settled)
  }
}
