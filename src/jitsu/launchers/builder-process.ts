// One run of the domain builder: requests and their answers, until it ends. What it has built and nobody has let run it destroys
// itself when its stdin ends, also by the death of this process.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { ConduitError } from '../../errors.js'
import { type BuilderFailure, builderError, type DomainIdentity, parseIdentity } from './builder-messages.js'
import { startProblem, unusableProblem } from './builder-program.js'

export interface BuilderProcessOptions {
  readonly program: string
  readonly environment: NodeJS.ProcessEnv
  /** A line for the log. */
  log(line: string): void
}

export interface Asked {
  /** For errors: what could not be done. */
  readonly what: string
  readonly request: Readonly<Record<string, unknown>>
  /** A build's domain has its number; it is being filled. */
  readonly onCreated?: ((identity: DomainIdentity) => void) | undefined
}

interface Pending extends Asked {
  resolve(ok: unknown): void
  reject(error: Error): void
}

/** What its stderr may say before it is listened to no more. */
const SAID_CHARS = 4096

export class BuilderProcess {
  /** Resolves when it takes requests. @throws ConduitError LAUNCHER when it cannot work here */
  readonly ready: Promise<void>
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<string>
  readonly #options: BuilderProcessOptions
  readonly #child: ChildProcess
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #over: string | undefined
  #said = ''
  #onReady!: () => void
  #onUnusable!: (error: Error) => void

  constructor(options: BuilderProcessOptions) {
    this.#options = options
    this.ready = new Promise<void>((resolve, reject) => {
      this.#onReady = resolve
      this.#onUnusable = reject
    })
    this.ready.catch(() => undefined)
    const { program, environment } = options
    // A session of its own: what a terminal sends to all of jitsud's is not for it.
    this.#child = spawn(program, [], { env: { ...environment, LC_ALL: 'C' }, detached: true })
    this.#child.stdin!.on('error', () => undefined)
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => this.#heard(text))
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#line(line))
    this.ended = new Promise((resolve) => {
      this.#child.once('error', ({ message }) => resolve(this.#end(message)))
      this.#child.once('close', (status, signal) => resolve(this.#end(signal ?? `exit status ${status}`)))
    })
  }

  get over(): boolean {
    return this.#over !== undefined
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** @throws ConduitError LAUNCHER with what it said, or that it ended: then errno is EPIPE */
  ask(asked: Asked): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#over !== undefined) return reject(this.#gone(asked.what, this.#over))
      const id = ++this.#lastId
      this.#pending.set(id, { ...asked, resolve, reject })
      this.#child.stdin!.write(`${JSON.stringify({ id, ...asked.request })}\n`)
    })
  }

  /** Let it do what it was asked, clean up, and end. */
  async close(): Promise<void> {
    this.#child.stdin!.end()
    await this.ended
  }

  #heard(text: string): void {
    this.#said = (this.#said + text).slice(0, SAID_CHARS)
    for (const line of text.split('\n')) if (line !== '') this.#options.log(line)
  }

  #line(line: string): void {
    let message: Record<string, unknown>
    try {
      message = JSON.parse(line) as Record<string, unknown>
    } catch {
      this.#options.log(`not understood: ${line.slice(0, 200)}`)
      this.#child.kill('SIGKILL')
      return
    }
    if (typeof message.event === 'string') this.#event(message.event, message)
    else this.#answer(message)
  }

  #event(event: string, message: Record<string, unknown>): void {
    if (event === 'ready') {
      const { orphans } = message
      if (orphans !== 0) this.#options.log(`destroyed ${orphans} domains that an earlier builder had left unfinished`)
      this.#onReady()
    } else if (event === 'unusable') {
      const { text, hint } = unusableProblem({ code: String(message.code), message: String(message.message) })
      this.#onUnusable(new ConduitError('LAUNCHER', text, { hint }))
    } else if (event === 'created') {
      const identity = parseIdentity(message)
      if (identity !== undefined) this.#pending.get(Number(message.id))?.onCreated?.(identity)
    }
  }

  #answer({ id, ok, error }: Record<string, unknown>): void {
    const pending = this.#pending.get(Number(id))
    this.#pending.delete(Number(id))
    if (pending === undefined) this.#options.log(`an answer to nothing: ${JSON.stringify(error ?? ok)}`)
    else if (error !== undefined) pending.reject(builderError(pending.what, error as BuilderFailure))
    else pending.resolve(ok)
  }

  #end(how: string): string {
    if (this.#over !== undefined) return this.#over
    this.#over = how
    const { text, hint } = startProblem(this.#options.program, this.#said || how)
    this.#onUnusable(new ConduitError('LAUNCHER', text, { hint }))
    for (const { what, reject } of this.#pending.values()) reject(this.#gone(what, how))
    this.#pending.clear()
    return how
  }

  #gone(what: string, how: string): ConduitError {
    const hint = 'it is started again with the next request, and takes away what it had left unfinished'
    return new ConduitError('LAUNCHER', `${what}: the domain builder has ended: ${how}`, { errno: 'EPIPE', hint })
  }
}
