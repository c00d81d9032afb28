// Promises that wait for the client to come. Settled by the channel; knows nothing of pages.

interface Waiter {
  resolve(): void
  reject(reason: unknown): void
}

export class Arrival {
  private readonly waiters = new Set<Waiter>()

  /** @throws the signal's reason, or what {@link fail} is given */
  wait(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.reject(signal?.reason)
      const done = (): void => {
        this.waiters.delete(waiter)
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter = {
        resolve: () => {
          done()
          resolve()
        },
        reject: (reason) => {
          done()
          reject(reason)
        },
      }
      signal?.addEventListener('abort', onAbort)
      this.waiters.add(waiter)
    })
  }

  settle(): void {
    for (const waiter of this.waiters) waiter.resolve()
  }

  fail(reason: unknown): void {
    for (const waiter of this.waiters) waiter.reject(reason)
  }
}
