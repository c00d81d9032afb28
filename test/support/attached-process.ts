// The parent's side of test/integration/children/attached-process.ts.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Command } from '../integration/children/attached-process.js'

const SCRIPT = fileURLToPath(new URL('../integration/children/attached-process.js', import.meta.url))

export class AttachedProcess {
  readonly child: ChildProcess
  /** Events that its channel has had. */
  events = 0
  readonly #answers: ((message: { done?: unknown; failed?: string }) => void)[] = []

  constructor() {
    this.child = fork(SCRIPT, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.child.on('message', (message: { event?: true; done?: unknown; failed?: string }) => {
      if (message.event === true) this.events++
      else this.#answers.shift()!(message)
    })
  }

  async tell(command: Command): Promise<unknown> {
    const message = await new Promise<{ done?: unknown; failed?: string }>((resolve) => {
      this.#answers.push(resolve)
      this.child.send(command)
    })
    if (message.failed !== undefined) throw Object.assign(new Error(message.failed), { code: message.failed })
    return message.done
  }

  /** End it and wait until the kernel has taken back what it held. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill(signal)
    await once(this.child, 'exit')
  }
}
