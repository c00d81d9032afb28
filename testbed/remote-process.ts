// A command that runs in dom0 or in a guest, as seen from the other side of the agent.
import { constants } from 'node:os'
import { Deferred } from './deferred.js'

/** How a command ended and what it printed. */
export interface CommandResult {
  /** As a shell's `$?`: 128 and the signal's number after a signal; 126 when it could not be started. */
  readonly status: number
  /** What it wrote to stdout. */
  readonly output: string
  /** What it wrote to stderr. */
  readonly errors: string
}

export type OutputListener = (bytes: Buffer, stream: 'stdout' | 'stderr') => void

interface Expectation {
  readonly pattern: RegExp
  readonly found: (match: RegExpExecArray) => void
  readonly failed: (error: Error) => void
}

/**
 * A command under way.
 *
 * @example
 * const server = guest.spawn('conduit-cat -kl echo -e cat')
 * await server.printed(/listening/)
 * server.kill('SIGKILL')
 * const { status } = await server.wait()
 */
export class RemoteProcess {
  readonly command: string
  readonly #signal: (signal: number) => void
  readonly #listeners = new Set<OutputListener>()
  readonly #expectations = new Set<Expectation>()
  readonly #ended = new Deferred<number>()
  readonly #text = { stdout: '', stderr: '' }
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }
  readonly #keep: boolean
  /** How it ended, once it has. */
  #why: string | undefined

  constructor(command: string, signal: (signal: number) => void, keep: boolean) {
    this.command = command
    this.#signal = signal
    this.#keep = keep
  }

  /** What it has written to stdout so far. */
  get output(): string {
    return this.#text.stdout
  }

  /** What it has written to stderr so far. */
  get errors(): string {
    return this.#text.stderr
  }

  /** Called with each piece as it comes, from now on. */
  onOutput(listener: OutputListener): void {
    this.#listeners.add(listener)
  }

  /** Resolves once stdout or stderr, as a whole, matches. Rejects when the command ends without, or its domain does. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((found, failed) => {
      this.#expectations.add({ pattern, found, failed })
      this.#meetExpectations()
    })
  }

  /** Resolves with its end. Rejects when its domain ends first. */
  async wait(): Promise<CommandResult> {
    const status = await this.#ended.promise
    return { status, output: this.output, errors: this.errors }
  }

  /** To the command and every process of its session. One that has ended already is no error. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#signal(constants.signals[signal])
  }

  /** For the connection. */
  deliver(bytes: Buffer, stream: 'stdout' | 'stderr'): void {
    if (this.#keep) this.#text[stream] += this.#decoders[stream].decode(bytes, { stream: true })
    for (const listener of this.#listeners) listener(bytes, stream)
    this.#meetExpectations()
  }

  /** For the connection: a status, or why there will be none. */
  end(outcome: number | Error): void {
    if (typeof outcome === 'number') this.#ended.resolve(outcome)
    else this.#ended.reject(outcome)
    this.#why ??= typeof outcome === 'number' ? `status ${outcome}` : outcome.message
    this.#meetExpectations()
  }

  #meetExpectations(): void {
    for (const expectation of [...this.#expectations]) {
      const { pattern, found, failed } = expectation
      const match = pattern.exec(this.output) ?? pattern.exec(this.errors)
      if (match === null && this.#why === undefined) continue
      this.#expectations.delete(expectation)
      if (match !== null) found(match)
      else failed(this.#neverPrinted(pattern))
    }
  }

  #neverPrinted(pattern: RegExp): Error {
    const said = `${this.output}${this.errors}`
    return new Error(`${this.command} ended (${this.#why}) without printing ${pattern}: ${said}`)
  }
}
