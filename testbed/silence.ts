// Notices that something has not been heard of for too long.

/** Rejects nothing by itself: whoever waits races with {@link Silence.tooLong}. */
export class Silence {
  readonly #limitMs: number
  readonly #expire: (error: Error) => void
  #timer: NodeJS.Timeout
  /** Never resolves; rejects when nothing was heard for the limit. */
  readonly tooLong: Promise<never>

  constructor(limitMs: number) {
    this.#limitMs = limitMs
    let expire!: (error: Error) => void
    this.tooLong = new Promise((_, reject) => {
      expire = reject
    })
    this.tooLong.catch(() => {})
    this.#expire = expire
    this.#timer = this.#start()
  }

  /** Something was heard. */
  broken(): void {
    this.stop()
    this.#timer = this.#start()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => this.#expire(new Error(`nothing heard for ${this.#limitMs / 1000} s`)), this.#limitMs)
  }
}
