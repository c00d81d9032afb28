// The parent's side of test/integration/children/attached-process.ts.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Command } from '../integration/children/attached-process.js'

const SCRIPT = fileURLToPath(new URL('../integration/children/attached-process.js', import.meta.url))

interface ChildAnswer {
  done?: unknown
  failed?: { code: string; message: string; errno?: string; hint?: string }
}

export class AttachedProcess {
  readonly child: ChildProcess
  /** Events that its channel has had. */
  events = 0
  readonly #answers: ((message: ChildAnswer) => void)[] = []

  /** @param maxFiles most descriptors it may open */
  constructor(maxFiles?: number) {
    const limit = maxFiles === undefined ? '' : `ulimit -n ${maxFiles}; `
    const args = ['-c', `${limit}exec "$0" "$@"`, process.execPath, '--enable-source-maps', SCRIPT]
    this.child = spawn('sh', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.child.on('message', (message: ChildAnswer & { event?: true }) => {
      if (message.event === true) this.events++
      else this.#answers.shift()!(message)
    })
  }

  async tell(command: Command): Promise<unknown> {
    const message = await new Promise<ChildAnswer>((resolve) => {
      this.#answers.push(resolve)
      this.child.send(command)
    })
    if (message.failed !== undefined) throw Object.assign(new Error(message.failed.message), message.failed)
    return message.done
  }

  /** End it and wait until the kernel has taken back what it held. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill(signal)
    await once(this.child, 'exit')
  }
}
