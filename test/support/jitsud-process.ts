// A real jitsud with a configuration of the test's own, in a runtime directory of the test's own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseProcStat } from '../../protocol/proc-stat.js'
import { eventually } from './eventually.js'
import { commandLines, HYPERVISOR_ENTRY, until } from './local-world.js'

const SUMMONED = fileURLToPath(new URL('../integration/children/summoned-service.js', import.meta.url))

/** The program, as compiled beside this file. */
export const JITSUD = fileURLToPath(new URL('../../src/cli/jitsud.js', import.meta.url))

/** One line of its log. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** Where it serves, as it said last. */
export interface Serving {
  readonly dns?: string
  readonly admin?: string
  readonly held?: readonly { readonly service: string; readonly address: string }[]
}

export type Ending = number | NodeJS.Signals

export class JitsudProcess {
  readonly child: ChildProcess
  readonly ended: Promise<Ending>
  readonly log: LogLine[] = []
  /** What came on stderr and was no log. */
  readonly complaints: string[] = []

  constructor(args: readonly string[], env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, [JITSUD, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, CONDUIT_BACKEND: 'local', NOTIFY_SOCKET: '', STATE_DIRECTORY: '', ...env },
    })
    createInterface({ input: this.child.stderr! }).on('line', (line) => {
      if (line.startsWith('{')) this.log.push(JSON.parse(line) as LogLine)
      else this.complaints.push(line)
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => code ?? signal)
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Where it serves since the start, or since the last reload. */
  get serving(): Serving {
    return (this.log.findLast(({ msg }) => msg === 'jitsud serves') ?? {}) as Serving
  }

  /** The address held for a service. */
  heldFor(service: string): { host: string; port: number } {
    return parts(this.serving.held!.find((one) => one.service === service)!.address)
  }

  /** Resolves with the first line from `from` on whose message matches; rejects when jitsud ends without. */
  says(pattern: RegExp, from = 0): Promise<LogLine> {
    return eventually(() => {
      const found = this.log.slice(from).find(({ msg }) => pattern.test(msg))
      if (found === undefined && this.child.exitCode !== null) {
        throw new Error(`ended with ${this.child.exitCode}, and never said ${pattern}: ${this.complaints.join('\n')}`)
      }
      return found
    })
  }

  async end(signal: NodeJS.Signals): Promise<Ending> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return this.ended
  }
}

/** `127.0.0.1:53` as node:net takes it. */
export function parts(address: string): { host: string; port: number } {
  const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(address)!
  return { host, port: Number(port) }
}

/** A runtime directory, the jitsuds that were started in it, and their services. */
export class JitsudWorld {
  readonly directory = mkdtempSync(join(tmpdir(), 'conduit-jitsud-'))
  readonly runtimeDir = join(this.directory, 'run')
  readonly configFile = join(this.directory, 'jitsud.json')
  readonly #started: JitsudProcess[] = []

  get env(): NodeJS.ProcessEnv {
    return { CONDUIT_BACKEND: 'local', CONDUIT_RUNTIME_DIR: this.runtimeDir }
  }

  /** The command of a service that writes down its starts: see summoned-service.ts. */
  command(name: string, ...what: string[]): string[] {
    return [process.execPath, SUMMONED, this.#journal(name), ...what]
  }

  /** The processes that were started as that service so far. */
  starts(name: string): number[] {
    const journal = this.#journal(name)
    if (!existsSync(journal)) return []
    return readFileSync(journal, 'utf8').trim().split('\n').map(Number)
  }

  /** A service under a conduit name and `NAME.example.org`, ready when it has registered its name. */
  conduitService(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      name,
      dns: [`${name}.example.org`],
      addresses: ['192.0.2.1'],
      launcher: { kind: 'process', command: this.command(name, 'conduit', name) },
      ...more,
    }
  }

  /** What the next start, or SIGHUP, reads. */
  configure(config: unknown): void {
    writeFileSync(this.configFile, typeof config === 'string' ? config : JSON.stringify(config))
  }

  launch(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): JitsudProcess {
    return this.startWith(['--config', this.configFile, ...args], env)
  }

  /** Without a configuration file. */
  startWith(args: readonly string[], env: NodeJS.ProcessEnv = {}): JitsudProcess {
    const all = ['--log-format', 'json', '--log-level', 'debug', ...args]
    const started = new JitsudProcess(all, { ...this.env, ...env })
    this.#started.push(started)
    return started
  }

  /** One that serves. */
  async start(config?: unknown, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<JitsudProcess> {
    if (config !== undefined) this.configure(config)
    const started = this.launch(args, env)
    await started.says(/^jitsud serves$/)
    return started
  }

  /** Runs the program to its end, such as `status`. */
  async run(args: readonly string[], env: NodeJS.ProcessEnv = {}, nodeArgs: readonly string[] = []) {
    const child = spawn(process.execPath, [...nodeArgs, JITSUD, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.env, ...env },
    })
    const [output, complaints, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    return { status: status as number, output, complaints }
  }

  #journal(name: string): string {
    return join(this.directory, `${name}.starts`)
  }

  /** Ends everything, and waits until nothing of it is left. */
  async close(): Promise<void> {
    for (const jitsud of this.#started) await jitsud.end('SIGKILL')
    for (const [pid, args] of commandLines()) {
      if (args.some((arg) => arg.startsWith(`${this.directory}/`)) && !args.includes(HYPERVISOR_ENTRY)) kill(pid)
    }
    await until(() => ![...commandLines().values()].some((args) => args.some((arg) => arg.startsWith(this.directory))))
    rmSync(this.directory, { recursive: true })
  }
}

/** Whether a process runs: one that nobody has waited for yet does not. */
export function runs(pid: number): boolean {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.state !== 'Z'
  } catch {
    return false
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile.
  }
}
