// A conduit-cat of its own, as the demo runs two of: a real process with files for stdin and stdout, whose lines on stderr
// are kept.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ConduitError } from '../index.js'

const CONDUIT_CAT = fileURLToPath(new URL('./conduit-cat.js', import.meta.url))

export interface DemoProcessOptions {
  readonly runtimeDir: string
  /** Descriptors; stdin may be nothing. */
  readonly stdin: number | 'ignore'
  readonly stdout: number | 'ignore'
}

export class DemoProcess {
  readonly #args: readonly string[]
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #ended: Promise<unknown>
  #onLine: (line: string) => void = () => undefined

  constructor(args: readonly string[], { runtimeDir, stdin, stdout }: DemoProcessOptions) {
    this.#args = args
    this.#child = spawn(process.execPath, [CONDUIT_CAT, ...args], {
      stdio: [stdin, stdout, 'pipe'],
      env: { ...process.env, CONDUIT_BACKEND: 'local', CONDUIT_RUNTIME_DIR: runtimeDir },
    })
    this.#ended = once(this.#child, 'close')
    this.#ended.catch(() => undefined)
    createInterface({ input: this.#child.stderr! }).on('line', (line) => {
      this.#lines.push(line)
      this.#onLine(line)
    })
  }

  /** The first line on stderr, from now on, for which `wanted` holds; undefined when it ends without one. */
  async nextLine(wanted: (line: string) => boolean): Promise<string | undefined> {
    const found = new Promise<string>((resolve) => {
      this.#onLine = (line) => {
        if (wanted(line)) resolve(line)
      }
    })
    return Promise.race([found, this.#ended.then(() => undefined)])
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves when it has ended, however. */
  get ended(): Promise<undefined> {
    return this.#ended.then(() => undefined)
  }

  /** Resolves with its last line on stderr when it has ended with status 0. @throws ConduitError SYSTEM */
  async success(): Promise<string> {
    await this.#ended
    const { exitCode, signalCode } = this.#child
    const last = this.#lines.at(-1) ?? ''
    if (exitCode === 0) return last
    const how = signalCode === null ? `ended with status ${exitCode}` : `was ended by ${signalCode}`
    throw new ConduitError('SYSTEM', `conduit-cat ${this.#args.join(' ')} ${how}: ${last}`)
  }

  /** End it, if need be; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGCONT')
    this.#child.kill('SIGKILL')
    await this.#ended.catch(() => undefined)
  }
}
