// Two one-way streams, such as a program's stdin and stdout, as one Duplex with half-close and back-pressure both ways.
import { Duplex, type Readable, type Writable } from 'node:stream'

type Callback = (error?: Error | null) => void

export interface StreamPairOptions {
  readonly input: Readable
  readonly output: Writable
  /** Nobody is asked for more input once the other side has ended: for a terminal. */
  readonly endTogether?: boolean
}

export class StreamPair extends Duplex {
  readonly #options: StreamPairOptions

  constructor(options: StreamPairOptions) {
    super({ allowHalfOpen: true })
    this.#options = options
    const { input, output } = options
    input.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) input.pause()
    })
    input.on('end', () => this.push(null))
    input.on('error', (error) => this.destroy(error))
    output.on('error', (error) => this.destroy(error))
    input.pause()
    if (input.readableEnded) this.push(null)
  }

  /** @internal */
  override _read(): void {
    this.#options.input.resume()
  }

  /** @internal */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#options.output.write(chunk, callback)
  }

  /** @internal */
  override _final(callback: Callback): void {
    const { input, output, endTogether } = this.#options
    output.end(() => callback())
    if (endTogether && !input.readableEnded) {
      input.removeAllListeners('data').removeAllListeners('end').pause()
      this.push(null)
    }
  }

  /** @internal */
  override _destroy(error: Error | null, callback: Callback): void {
    this.#options.input.destroy()
    this.#options.output.destroy()
    callback(error)
  }
}
