// A real conduit-cat in a runtime directory of the test's own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { until } from './local-world.js'

/** The program, as compiled beside this file. */
export const CONDUIT_CAT = fileURLToPath(new URL('../../src/cli/conduit-cat.js', import.meta.url))

export interface CatProcessOptions {
  /** 'ignore' is /dev/null; by default a pipe that the test writes to. */
  readonly stdin?: 'pipe' | 'ignore' | number
  readonly stdout?: 'pipe' | 'ignore' | number
  readonly env?: NodeJS.ProcessEnv
  /** Leave stdout alone: the test reads it. */
  readonly unread?: boolean
}

/** Exit status, or the signal that ended it. */
export type Ending = number | NodeJS.Signals

export class CatProcess {
  readonly child: ChildProcess
  readonly ended: Promise<Ending>
  #stdout: Buffer[] = []
  #stderr = ''

  /** `directory`: CONDUIT_RUNTIME_DIR. */
  constructor(directory: string, args: readonly string[], options: CatProcessOptions = {}) {
    const { stdin = 'pipe', stdout = 'pipe', env = {}, unread = false } = options
    this.child = spawn(process.execPath, [CONDUIT_CAT, ...args], {
      stdio: [stdin, stdout, 'pipe'],
      env: { ...process.env, CONDUIT_BACKEND: '', CONDUIT_RUNTIME_DIR: directory, ...env },
    })
    this.child.stdin?.on('error', () => undefined)
    if (!unread) this.child.stdout?.on('data', (chunk: Buffer) => this.#stdout.push(chunk))
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr += chunk
    })
    this.ended = once(this.child, unread ? 'exit' : 'close').then(([code, signal]) => code ?? signal)
  }

  get pid(): number {
    return this.child.pid!
  }

  get stdin(): Writable {
    return this.child.stdin!
  }

  get stdout(): Readable {
    return this.child.stdout!
  }

  /** What came on stdout so far. */
  get output(): string {
    return this.received.toString()
  }

  /** The same as bytes. */
  get received(): Buffer {
    return Buffer.concat(this.#stdout)
  }

  /** What came on stderr so far. */
  get complaints(): string {
    return this.#stderr
  }

  /** Resolves when stderr matches. */
  async says(pattern: RegExp): Promise<void> {
    await until(() => {
      if (!pattern.test(this.#stderr) && this.child.exitCode !== null) {
        throw new Error(`ended with ${this.child.exitCode} and never said ${pattern}: ${this.#stderr}`)
      }
      return pattern.test(this.#stderr)
    })
  }

  /** Resolves when stdout contains `text`. */
  async prints(text: string): Promise<void> {
    await until(() => this.output.includes(text))
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }
}

/** Everything a test has started, ended together. */
export class CatProcesses {
  readonly #directory: string
  readonly #started: CatProcess[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  start(args: readonly string[], options?: CatProcessOptions): CatProcess {
    const started = new CatProcess(this.#directory, args, options)
    this.#started.push(started)
    return started
  }

  /** A listener that clients can connect to. */
  async listen(args: readonly string[], options?: CatProcessOptions): Promise<CatProcess> {
    const started = this.start(['-v', ...args], options)
    await started.says(/listening on/)
    return started
  }

  async close(): Promise<void> {
    for (const { child, stdin, stdout } of this.#started) {
      stdin?.destroy()
      stdout?.destroy()
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGCONT')
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    }
  }
}
