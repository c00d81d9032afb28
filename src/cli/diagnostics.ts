// What the program says beside its data: lines on stderr, in one place so that a stderr that has gone silences them all
// instead of ending the transfer.
import type { Writable } from 'node:stream'

export class Diagnostics {
  readonly verbose: boolean
  readonly isTerminal: boolean
  readonly #stream: Writable
  readonly #program: string
  #gone = false

  constructor(
    stream: Writable & { readonly isTTY?: boolean },
    options: { verbose?: boolean | undefined; program?: string } = {},
  ) {
    this.#stream = stream
    this.verbose = options.verbose === true
    this.#program = options.program ?? 'conduit-cat'
    this.isTerminal = stream.isTTY === true
    stream.on('error', () => {
      this.#gone = true
    })
  }

  /** Nobody reads it any more. */
  get gone(): boolean {
    return this.#gone
  }

  /** As it is: for lines that are redrawn. */
  write(text: string): void {
    if (!this.#gone) this.#stream.write(text)
  }

  line(text: string): void {
    this.write(`${text}\n`)
  }

  /** One line about the program's own doings. */
  say(text: string): void {
    this.line(`${this.#program}: ${text}`)
  }

  /** The same, where `-v` asked for it. */
  tell(text: string): void {
    if (this.verbose) this.say(text)
  }
}
