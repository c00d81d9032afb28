// The parent's side of test/integration/children/peer-process.ts, and what /proc says of any process.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { PeerCommand } from '../integration/children/peer-process.js'

const SCRIPT = fileURLToPath(new URL('../integration/children/peer-process.js', import.meta.url))

interface Answer {
  readonly id: number
  readonly done?: unknown
  readonly failed?: string
}

export class PeerProcess<Command = PeerCommand> {
  readonly child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #lastId = 0

  constructor(script: string = SCRIPT) {
    this.child = fork(script, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: ['--expose-gc'] })
    this.child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    // Not at its exit alone: what it said last may still lie in the channel.
    void Promise.all([once(this.child, 'exit'), once(this.child, 'disconnect')]).then(([[code, signal]]) => {
      for (const [id, settle] of this.#waiting) settle({ id, failed: `exit ${code ?? signal}` })
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Rejects with the code of what failed there. */
  async tell(command: Command): Promise<unknown> {
    const id = ++this.#lastId
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve)
      this.child.send({ id, command })
    })
    if (answer.failed !== undefined) throw Object.assign(new Error(answer.failed), { code: answer.failed })
    return answer.done
  }

  /** End it, stopped or not, and wait until the kernel has taken back what it held. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await exited
  }
}

export interface Holdings {
  readonly files: number
  /** Mapped pages of Conduit, one for each range of addresses. */
  readonly rings: number
}

/** Open descriptors and mapped shares of a process. */
export function holdingsOf(pid: number): Holdings {
  return {
    files: readdirSync(`/proc/${pid}/fd`).length,
    rings: readFileSync(`/proc/${pid}/maps`, 'utf8').split('/memfd:conduit').length - 1,
  }
}

/** Resident memory of a process. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(kib![1]) * 1024
}
