// One long-lived `virsh` on one connection: commands on its stdin, one at a time, and each answer up to a marker that nobody can
// guess. Shared by the launchers of that connection; begun anew when it has died.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { ConduitError } from '../../errors.js'
import type { MonotonicClock } from '../monotonic-clock.js'

/** A command that has not ended by then never will: the session is ended with it. */
export const COMMAND_MS = 60_000
/** Of one answer. */
const ANSWER_BYTES = 256 << 10
const PROMPT = 'virsh # '

export interface VirshOptions {
  readonly uri: string
  readonly environment: NodeJS.ProcessEnv
  readonly clock: MonotonicClock
  /** `virsh` by default. */
  readonly program?: string | undefined
}

interface Running {
  readonly child: ChildProcess
  /** What has come since the last answer. */
  text: string
  onText: () => void
  /** Why there will be no more. */
  over: string | undefined
}

export class VirshSession {
  readonly #options: VirshOptions
  readonly #mark = randomBytes(8).toString('hex')
  #running: Running | undefined
  #last: Promise<unknown> = Promise.resolve()
  #commands = 0
  #closed = false

  constructor(options: VirshOptions) {
    this.#options = options
  }

  /**
   * What the command prints. Words that come from outside must not have blanks or quotes in them.
   * @throws ConduitError LAUNCHER with what virsh said
   */
  command(...words: readonly string[]): Promise<string> {
    const answer = this.#last.then(() => this.#ask(words.join(' ')))
    this.#last = answer.catch(() => undefined)
    return answer
  }

  /** End it. Idempotent. */
  close(): void {
    this.#closed = true
    this.#running?.child.stdin?.end()
    this.#running?.child.kill('SIGTERM')
  }

  async #ask(line: string): Promise<string> {
    if (this.#closed) throw this.#fault(line, 'the connection was closed')
    const running = this.#running ?? this.#start()
    this.#running = running
    const marker = `${this.#mark}-${++this.#commands}`
    running.child.stdin?.write(`${line}\necho --shell ${marker}\n`)
    const answer = await this.#answer(running, marker, line)
    const lines = answer.split('\n').filter((each) => !each.startsWith(PROMPT))
    const errors = lines.filter((each) => each.startsWith('error: '))
    if (errors.length > 0) throw this.#fault(line, errors.map((each) => each.slice('error: '.length)).join('; '))
    return lines.join('\n').trim()
  }

  /** Up to the marker at the beginning of a line: the command that prints it has something before it. */
  #answer(running: Running, marker: string, line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        limit.cancel()
        if (this.#running === running) this.#running = undefined
        running.child.kill('SIGKILL')
        reject(this.#fault(line, why))
      }
      const limit = this.#options.clock.after(COMMAND_MS, () => fail(`no answer in ${COMMAND_MS / 1000} s`))
      running.onText = () => {
        const at = running.text.indexOf(`\n${marker}`)
        if (at >= 0) {
          limit.cancel()
          running.onText = () => undefined
          const answer = running.text.slice(0, at)
          // What follows is the prompt that the next command is echoed behind.
          running.text = running.text.slice(at + 1 + marker.length)
          resolve(answer)
        } else if (running.over !== undefined) fail(running.over)
        else if (running.text.length > ANSWER_BYTES) fail('an answer without an end')
      }
      running.onText()
    })
  }

  #start(): Running {
    const { uri, environment, program = 'virsh' } = this.#options
    // One pipe for both, so that an error is found with its command.
    const child = spawn('/bin/sh', ['-c', 'exec "$0" -q -c "$1" 2>&1', program, uri], {
      env: { ...environment, LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const running: Running = { child, text: '', onText: () => undefined, over: undefined }
    const end = (why: string): void => {
      running.over ??= why
      if (this.#running === running) this.#running = undefined
      running.onText()
    }
    child.stdin.on('error', () => undefined)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (running.text.length <= ANSWER_BYTES) running.text += text
      running.onText()
    })
    child.once('error', (error) => end(error.message))
    child.once('close', (status) => end(running.text.trim().split('\n').at(-1) || `virsh ended with status ${status}`))
    return running
  }

  #fault(line: string, why: string): ConduitError {
    const { uri } = this.#options
    return new ConduitError('LAUNCHER', `virsh -c ${uri} ${line}: ${why}`, {
      endpoint: uri,
      hint: `try it by hand: virsh -c ${uri} ${line}`,
    })
  }
}
