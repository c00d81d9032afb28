// A connection to an agent: commands go out, their output and ends come back. The stream under it is a unix socket to
// QEMU for dom0, and inside dom0 the console of a guest.
import type { Readable, Writable } from 'node:stream'
import { parseReport, signalLine, startLine } from './agent-protocol.js'
import { Deferred } from './deferred.js'
import { lineSplitter } from './line-splitter.js'
import { type CommandResult, RemoteProcess } from './remote-process.js'

/** Lines that are not the agent's, kept for whoever asks why it fell silent. */
const OTHER_LINES_MAX = 40

export class AgentConnection {
  readonly #outgoing: Writable
  readonly #processes = new Map<number, RemoteProcess>()
  readonly #ready = new Deferred<void>()
  readonly #other: string[] = []
  #lastId = 0
  #lost: Error | undefined

  /** `incoming` and `outgoing` may be one. `why` is asked once when they have ended, for the reason that is told. */
  constructor(incoming: Readable, outgoing: Writable, why: (connection: AgentConnection) => string) {
    this.#outgoing = outgoing
    const split = lineSplitter((line) => this.#line(line))
    incoming.on('data', split)
    const ended = () => this.lose(why(this))
    for (const event of ['end', 'close']) incoming.on(event, ended)
    // A terminal that hangs up is an error to its readers and writers, and says no more.
    for (const stream of new Set([incoming, outgoing])) stream.on('error', ended)
  }

  /** Resolves when the agent takes commands. Rejects when its domain ends first. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** The last lines that were not the agent's: the kernel's, mostly. */
  get otherLines(): readonly string[] {
    return this.#other
  }

  /** Start a command. `keep: false` leaves what it prints to listeners, for commands that print without end. */
  spawn(command: string, options: { readonly keep?: boolean } = {}): RemoteProcess {
    this.#lastId += 1
    const id = this.#lastId
    const process = new RemoteProcess(command, (signal) => this.#send(signalLine(id, signal)), options.keep ?? true)
    if (this.#lost !== undefined) {
      process.end(this.#lost)
      return process
    }
    this.#processes.set(id, process)
    this.#send(startLine(id, command))
    return process
  }

  /** Start a command and wait for its end. */
  run(command: string): Promise<CommandResult> {
    return this.spawn(command).wait()
  }

  /** The agent is gone: every command under way rejects with the reason. Idempotent. */
  lose(reason: string): void {
    if (this.#lost !== undefined) return
    const error = new Error(reason)
    this.#lost = error
    this.#ready.reject(error)
    for (const process of this.#processes.values()) process.end(error)
    this.#processes.clear()
  }

  #send(line: string): void {
    if (this.#lost === undefined) this.#outgoing.write(line)
  }

  #line(line: string): void {
    const report = parseReport(line)
    switch (report?.kind) {
      case 'ready':
        this.#ready.resolve()
        break
      case 'output':
        this.#processes.get(report.id)?.deliver(report.bytes, report.stream)
        break
      case 'exit':
        this.#processes.get(report.id)?.end(report.status)
        break
      default:
        this.#other.push(line)
        if (this.#other.length > OTHER_LINES_MAX) this.#other.shift()
    }
  }
}
