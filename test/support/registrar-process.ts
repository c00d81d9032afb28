// A real conduit-registrar on a store of the test's own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from './local-world.js'

/** The program, as compiled beside this file. */
const CONDUIT_REGISTRAR = fileURLToPath(new URL('../../src/cli/conduit-registrar.js', import.meta.url))

export class RegistrarProcess {
  /** Exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  readonly #child: ChildProcess
  #said = ''
  #printed = ''

  constructor(socket: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [CONDUIT_REGISTRAR, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NOTIFY_SOCKET: '', XENSTORED_PATH: socket, ...env },
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text
    })
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#printed += text
    })
    this.ended = once(this.#child, 'close').then(([code, signal]) => code ?? signal)
  }

  /** One that serves. */
  static async serving(socket: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    const registrar = new RegistrarProcess(socket, args, env)
    await registrar.says(/serving names/)
    return registrar
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** What came on stderr so far. */
  get complaints(): string {
    return this.#said
  }

  get output(): string {
    return this.#printed
  }

  /** Resolves when stderr matches. */
  async says(pattern: RegExp): Promise<void> {
    await until(() => {
      if (!pattern.test(this.#said) && this.#child.exitCode !== null) {
        throw new Error(`ended with ${this.#child.exitCode} and never said ${pattern}: ${this.#said}`)
      }
      return pattern.test(this.#said)
    })
  }

  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal)
    return this.ended
  }
}
