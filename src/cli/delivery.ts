// Hands what comes over a connection on to a local stream. A byte leaves the ring only when the stream has taken it: what
// cannot be handed on stays the peer's, and the peer sees that it was never read.
import type { Writable } from 'node:stream'
import type { ConduitSocket } from '../index.js'

export class Delivery {
  readonly #socket: ConduitSocket
  readonly #output: Writable
  readonly #onData = (chunk: Buffer): void => this.#deliver(chunk)
  readonly #onDrain = (): void => void this.#socket.resume()

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
    const onTaken = (error?: Error | null): void => {
      if (!error) this.#socket.channel?.release(chunk.length)
    }
    if (!this.#output.write(chunk, onTaken)) this.#socket.pause()
  }
}
