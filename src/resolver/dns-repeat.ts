// Sends again what was not answered: after a pause, after twice that, and so on.
import type { Clock, Timer } from '../conduit/clock.js'

export class DnsRepeat {
  readonly #clock: Clock
  #pauseMs: number
  #timer: Timer | undefined

  constructor(clock: Clock, firstMs: number) {
    this.#clock = clock
    this.#pauseMs = firstMs
  }

  start(send: () => void): void {
    this.#timer = this.#clock.after(this.#pauseMs, () => {
      this.#pauseMs *= 2
      send()
      this.start(send)
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
