// A program that runs in a session of its own: how its end is noticed, and how all of it is ended. The instance is its first
// process; when that is gone, nothing of the session stays.
import type { ChildProcess } from 'node:child_process'
import { ConduitError } from '../../errors.js'
import type { Launched, StopMode } from '../launcher.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import type { OutputFile } from './output-file.js'
import { isAlive, type ProcessIdentity, sessionMembers } from './process-table.js'

/** Whose parent we are not is looked for this often. */
export const LOOK_MS = 500
/** A process that was killed is gone within microseconds, unless the kernel itself waits for a disk. */
const GONE_MS = 5
const GONE_LOOKS = 200

/** Ended by itself or by us, with how. */
export function endOfChild(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (status, signal) => resolve(signal === null ? `exit status ${status}` : `killed by ${signal}`))
  })
}

/** For one that an earlier jitsud had started. */
export function endOfStranger(identity: ProcessIdentity, clock: MonotonicClock): Promise<string> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (isAlive(identity)) clock.after(LOOK_MS, look).unref()
      else resolve('it is gone; how it ended was told to nobody')
    }
    look()
  })
}

export class ProcessInstance implements Launched {
  readonly domid = undefined
  readonly pid: number
  readonly token: ProcessIdentity
  readonly ended: Promise<string>
  readonly #clock: MonotonicClock
  #over = false

  /** `gone` resolves when the first process has ended. Takes `output` over. */
  constructor(
    identity: ProcessIdentity,
    parts: { readonly gone: Promise<string>; readonly output: OutputFile | undefined; readonly clock: MonotonicClock },
  ) {
    this.pid = identity.pid
    this.token = identity
    this.#clock = parts.clock
    this.ended = parts.gone.then(async (how) => {
      this.#over = true
      await this.#clear()
      await parts.output?.close().catch(() => undefined)
      return how
    })
  }

  /** @throws ConduitError LAUNCHER for `suspend`, and when the kernel refuses */
  async stop(mode: StopMode): Promise<void> {
    if (mode === 'suspend') {
      throw new ConduitError(
        'LAUNCHER',
        'a program cannot be suspended: its clients would hang, and its memory stays in use',
        {
          hint: 'use "stop": "shutdown", or a launcher of virtual machines',
        },
      )
    }
    if (!this.#over && isAlive(this.token)) signalGroup(this.pid, mode === 'destroy' ? 'SIGKILL' : 'SIGTERM')
    await this.ended
  }

  /** Its children have no one to answer to any more. */
  async #clear(): Promise<void> {
    for (let looks = 0; looks < GONE_LOOKS; looks++) {
      const left = sessionMembers(this.pid)
      if (left.length === 0) return
      for (const pid of left) ignoringRefusal(() => signal(pid, 'SIGKILL'))
      await new Promise<void>((resolve) => this.#clock.after(GONE_MS, resolve))
    }
  }
}

/** To every process of the group that the first one leads. */
export const signalGroup = (pid: number, name: NodeJS.Signals): void => signal(-pid, name)

/** What has changed its user stays: there is nobody to tell. */
function ignoringRefusal(act: () => void): void {
  try {
    act()
  } catch {}
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (cause) {
    const { code, syscall, message } = cause as NodeJS.ErrnoException
    // It was faster.
    if (code === 'ESRCH') return
    throw new ConduitError('LAUNCHER', `process ${Math.abs(pid)} cannot be sent ${name}: ${message}`, {
      errno: code,
      syscall,
      hint: 'it has changed its user: let jitsud run as that user, or as root',
      cause,
    })
  }
}
