// The `timeout` of a socket, as node:net has it: emitted when there was no traffic for so long, and nothing more.
import type { Duplex } from 'node:stream'

export class IdleTimeout {
  readonly #socket: Duplex
  #timer: NodeJS.Timeout | undefined
  #timeoutMs = 0

  constructor(socket: Duplex) {
    this.#socket = socket
  }

  /** As it was set; 0 when it is off. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** For the socket's setTimeout(). @throws RangeError for what setTimeout() of the language cannot wait */
  set(timeoutMs: number, callback?: () => void): void {
    if (!(timeoutMs >= 0 && timeoutMs <= 0x7fffffff)) throw new RangeError(`a timeout of ${timeoutMs} ms`)
    this.stop()
    this.#timeoutMs = timeoutMs
    if (timeoutMs > 0 && !this.#socket.destroyed) {
      this.#timer = setTimeout(() => this.#socket.emit('timeout'), timeoutMs).unref()
      if (callback !== undefined) this.#socket.once('timeout', callback)
    } else if (callback !== undefined) {
      this.#socket.removeListener('timeout', callback)
    }
  }

  /** There was traffic. */
  refresh(): void {
    this.#timer?.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
