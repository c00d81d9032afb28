// The parent's side of test/integration/children/adopting-process.ts: a service as a launcher starts it, in a process group of
// its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { AdoptingCommand } from '../integration/children/adopting-process.js'

const SCRIPT = fileURLToPath(new URL('../integration/children/adopting-process.js', import.meta.url))

export interface AdoptingOptions {
  readonly env: Record<string, string>
  /** Most descriptors it may open. */
  readonly maxFiles?: number
}

export class AdoptingService {
  readonly child: ChildProcess
  /** All that it said. */
  readonly said: unknown[] = []
  readonly #exited: Promise<unknown>

  constructor(kind: string, { env, maxFiles }: AdoptingOptions) {
    const limit = maxFiles === undefined ? '' : `ulimit -n ${maxFiles}; `
    // The shell stays, as with many a command of a configuration: the program is its child.
    const args = ['-c', `${limit}"$0" "$@"; exit $?`, process.execPath, '--enable-source-maps', SCRIPT, kind]
    this.child = spawn('sh', args, {
      detached: true,
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      env: { ...process.env, ...env },
    })
    this.child.stderr?.resume()
    this.child.on('message', (message) => this.said.push(message))
    this.#exited = once(this.child, 'exit')
  }

  get pid(): number {
    return this.child.pid!
  }

  tell(command: AdoptingCommand): void {
    this.child.send(command)
  }

  /** To every process of the group. */
  signal(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal)
  }

  async exited(): Promise<void> {
    await this.#exited
  }

  async kill(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.signal('SIGKILL')
    await this.#exited
  }
}
