// Who waits for the next message, first come first served, each until its signal is aborted.

interface Receiver {
  resolve(message: Buffer | null): void
  reject(reason: unknown): void
}

export class MessageReceivers {
  readonly #waiting = new Set<Receiver>()

  get size(): number {
    return this.#waiting.size
  }

  /** The next message that is given out; null at the end. @throws the signal's reason, or what {@link fail} is given */
  wait(signal: AbortSignal | undefined): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiting.delete(receiver)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => receiver.reject(signal?.reason)
      const receiver: Receiver = {
        resolve: (message) => {
          done()
          resolve(message)
        },
        reject: (reason) => {
          done()
          reject(reason)
        },
      }
      signal?.addEventListener('abort', onAbort)
      this.#waiting.add(receiver)
    })
  }

  /** Serve those who wait for as long as `next` has messages. */
  serve(next: () => Buffer | undefined): void {
    for (const receiver of this.#waiting) {
      const message = next()
      if (message === undefined) return
      receiver.resolve(message)
    }
  }

  /** Nothing more comes. */
  end(): void {
    for (const receiver of this.#waiting) receiver.resolve(null)
  }

  fail(reason: unknown): void {
    for (const receiver of this.#waiting) receiver.reject(reason)
  }
}
