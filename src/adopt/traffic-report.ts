// What jitsud needs to know of connections that it no longer sees, so that a busy service is not taken for an idle one: how many
// were closed, how many bytes moved. Counted here, said at most once a second.
import type { Clock, Timer } from '../conduit/clock.js'

const INTERVAL_MS = 1000

/** As net.Socket counts. */
export interface Counted {
  readonly bytesRead: number
  readonly bytesWritten: number
}

export class TrafficReport {
  readonly #clock: Clock
  readonly #say: (bytes: number) => void
  /** Bytes of each open connection that were said already. */
  readonly #said = new Map<Counted, number>()
  #unsaid = 0
  #timer: Timer | undefined

  constructor(clock: Clock, say: (bytes: number) => void) {
    this.#clock = clock
    this.#say = say
  }

  get open(): number {
    return this.#said.size
  }

  get connections(): Iterable<Counted> {
    return this.#said.keys()
  }

  add(connection: Counted): void {
    this.#said.set(connection, 0)
    this.#tick()
  }

  /** It was closed; its counters are read once more. */
  remove(connection: Counted): void {
    this.#count(connection)
    this.#said.delete(connection)
    if (this.#said.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#report()
  }

  #tick(): void {
    if (this.#timer !== undefined) return
    this.#timer = this.#clock.after(INTERVAL_MS, () => {
      this.#timer = undefined
      for (const connection of this.#said.keys()) this.#count(connection)
      this.#report()
      this.#tick()
    })
    this.#timer.unref()
  }

  #count(connection: Counted): void {
    const bytes = connection.bytesRead + connection.bytesWritten
    this.#unsaid += bytes - (this.#said.get(connection) ?? bytes)
    this.#said.set(connection, bytes)
  }

  #report(): void {
    if (this.#unsaid > 0) this.#say(this.#unsaid)
    this.#unsaid = 0
  }
}
