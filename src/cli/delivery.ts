// Hands what comes over a connection on to a local stream. A byte leaves the ring only when the stream has taken it: what
// cannot be handed on stays the peer's, and the peer sees that it was never read.
import type { Writable } from 'node:stream'
import type { ConduitSocket } from '../index.js'

export class Delivery {
  readonly #socket: ConduitSocket
  readonly #output: Writable
  readonly #onData = (chunk: Buffer): void => this.#deliver(chunk)
  readonly #onTaken = (error?: Error | null): void => {
    if (!error) this.#release()
  }
  readonly #onDrain = (): void => void this.#socket.resume()
  /** Bytes given to the stream and not released. */
  #given = 0

  constructor(socket: ConduitSocket, output: Writable) {
    this.#socket = socket
    this.#output = output
    socket.channel?.holdReads()
  }

  start(): void {
    this.#socket.on('data', this.#onData)
    this.#output.on('drain', this.#onDrain)
    this.#socket.resume()
  }

  /** Take no more: the peer is held back from now on. Idempotent. */
  stop(): void {
    this.#socket.off('data', this.#onData)
    this.#output.off('drain', this.#onDrain)
    this.#socket.pause()
  }

  #deliver(chunk: Buffer): void {
    this.#given += chunk.length
    if (!this.#output.write(chunk, this.#onTaken)) this.#socket.pause()
    // A stream that takes it at once says so by its length; its callback comes later, and the ring would stay full till then.
    this.#release()
  }

  #release(): void {
    if (this.#output.errored || this.#output.destroyed) return
    const taken = this.#given - this.#output.writableLength
    if (taken <= 0) return
    this.#given -= taken
    this.#socket.channel?.release(taken)
  }
}
