// A process of the same domain that has left its mark in the store, and can be killed.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { processStat } from '../../src/process-stat.js'

export class MarkedProcess {
  readonly mark: string
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  constructor() {
    this.#child = spawn('sleep', ['1000'], { stdio: 'ignore' })
    this.#ended = once(this.#child, 'exit')
    this.mark = markOf(this.pid)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Resolves when it has ended, and its parent knows. Idempotent. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

/** The mark that a process, or a thread, would leave. */
export function markOf(id: number): string {
  const [namespace] = /[0-9]+/.exec(readlinkSync('/proc/self/ns/pid'))!
  return `${id}-${processStat(id)!.startTicks}-${namespace}-0000000a`
}
