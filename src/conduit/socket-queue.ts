// `for await (const socket of server)`: sockets wait here until they are asked for.
import type { EventEmitter } from 'node:events'

export class SocketQueue<Socket> implements AsyncIterableIterator<Socket> {
  readonly #server: EventEmitter
  readonly #closing: AbortSignal
  readonly #waiting: Socket[]
  readonly #askers: ((result: IteratorResult<Socket>) => void)[] = []
  #done = false
  readonly #onConnection = (socket: Socket): void => {
    const asker = this.#askers.shift()
    if (asker === undefined) this.#waiting.push(socket)
    else asker({ value: socket, done: false })
  }
  readonly #onClosing = (): void => this.#end()

  /** Starts with `waiting`; ends when `closing` aborts, after what has come before. */
  constructor(server: EventEmitter, waiting: Socket[], closing: AbortSignal) {
    this.#server = server
    this.#waiting = waiting
    this.#closing = closing
    server.on('connection', this.#onConnection)
    closing.addEventListener('abort', this.#onClosing, { once: true })
    if (closing.aborted) this.#end()
  }

  next(): Promise<IteratorResult<Socket>> {
    const socket = this.#waiting.shift()
    if (socket !== undefined) return Promise.resolve({ value: socket, done: false })
    if (this.#done) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve) => this.#askers.push(resolve))
  }

  return(): Promise<IteratorResult<Socket>> {
    this.#end()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #end(): void {
    this.#done = true
    this.#server.off('connection', this.#onConnection)
    this.#closing.removeEventListener('abort', this.#onClosing)
    for (const asker of this.#askers.splice(0)) asker({ value: undefined, done: true })
  }
}
