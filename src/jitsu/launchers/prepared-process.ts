// A program at its gate: a shell in a session of its own, which becomes the program at our word. It has no name and no output yet.
// When jitsud dies first it reads the end of the gate, and goes.
import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { ConduitError } from '../../errors.js'
import { systemError } from '../../native.js'
import type { LaunchContext, Launched, Prepared } from '../launcher.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { createOutput, OutputFile } from './output-file.js'
import { endOfChild, ProcessInstance, signalGroup } from './process-instance.js'
import { identityOf, type ProcessIdentity, residentBytes } from './process-table.js'

/**
 * `$0` is the file for its output, the arguments are the program's. The file is opened at the last moment: another instance of
 * the service may print into it while this one waits.
 */
export const GATE = 'read -r _ <&3 && exec "$@" 3<&- >>"$0" 2>&1'
const GATE_FD = 3

export interface PreparedProcessOptions {
  /** As `$0` of the gate. */
  readonly outputPath: string
  readonly clock: MonotonicClock
}

export class PreparedProcess implements Prepared {
  readonly domid = undefined
  readonly pid: number
  readonly token: ProcessIdentity
  readonly ended: Promise<string>
  readonly memoryBytes: number
  readonly #child: ChildProcess
  readonly #gate: Socket
  readonly #options: PreparedProcessOptions
  #launched = false

  /** Takes a child that waits at the gate over. @throws ConduitError LAUNCHER when it is gone already */
  constructor(child: ChildProcess, options: PreparedProcessOptions) {
    this.#child = child
    this.#gate = child.stdio[GATE_FD] as Socket
    // It may be gone already: its end says so.
    this.#gate.on('error', () => undefined).unref()
    this.#options = options
    this.pid = child.pid as number
    this.ended = endOfChild(child)
    const identity = identityOf(this.pid)
    if (identity === undefined) throw new ConduitError('LAUNCHER', `process ${this.pid} is gone before it began`)
    this.token = identity
    this.memoryBytes = residentBytes(this.pid)
  }

  async launch({ service, signal, created, step, log }: LaunchContext): Promise<Launched> {
    try {
      signal.throwIfAborted()
      const output = await this.#openOutput(log)
      const instance = new ProcessInstance(this.token, { gone: this.ended, output, clock: this.#options.clock })
      await created(instance)
      signal.throwIfAborted()
      if (this.#over) throw new ConduitError('LAUNCHER', `${service} ended before it began: ${await this.ended}`)
      this.#launched = true
      this.#gate.end('\n')
      step('unpaused')
      return instance
    } catch (error) {
      await this.discard()
      throw error
    }
  }

  async discard(): Promise<void> {
    if (this.#launched) return
    // Still at the gate, so it has no children.
    if (!this.#over) signalGroup(this.pid, 'SIGKILL')
    await this.ended
    this.#gate.destroy()
  }

  get #over(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async #openOutput(log: (line: string) => void): Promise<OutputFile> {
    const { outputPath } = this.#options
    const made = await createOutput(outputPath).catch((cause) => {
      throw systemError(cause, `make ${outputPath}`, 'LAUNCHER')
    })
    await made.close()
    return OutputFile.follow(outputPath, log, 'start')
  }
}
