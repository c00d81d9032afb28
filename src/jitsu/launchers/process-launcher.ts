// Starts a program on this machine: a session of its own, no stdin, its output in a file of its own. The program waits at a gate
// (prepared-process.ts) until its name is kept for it, since it may ask for that name with its first breath.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProcessLauncherConfig } from '../../../protocol/jitsud-config.js'
import { ConduitError } from '../../errors.js'
import { systemError } from '../../native.js'
import type { LaunchContext, Launched, Launcher, PrepareContext, Prepared, StopMode } from '../launcher.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { findProgram } from './find-program.js'
import { OutputFile } from './output-file.js'
import { GATE, PreparedProcess } from './prepared-process.js'
import { endOfStranger, ProcessInstance } from './process-instance.js'
import { isAlive, type ProcessIdentity, parseIdentity } from './process-table.js'

export interface ProcessLauncherOptions {
  /** Private to this user: the programs' output lies there. */
  readonly directory: string
  /** What `env` of the configuration is added to. */
  readonly environment: NodeJS.ProcessEnv
  readonly clock: MonotonicClock
}

export class ProcessLauncher implements Launcher {
  readonly kind = 'process'
  readonly stopModes: readonly StopMode[] = ['destroy', 'shutdown']
  readonly canKeepWarm = true
  readonly #config: ProcessLauncherConfig
  readonly #options: ProcessLauncherOptions

  constructor(config: ProcessLauncherConfig, options: ProcessLauncherOptions) {
    this.#config = config
    this.#options = options
  }

  async launch(context: LaunchContext): Promise<Launched> {
    const prepared = await this.prepare(context)
    context.step('built')
    return prepared.launch(context)
  }

  async prepare({ service, signal }: PrepareContext): Promise<Prepared> {
    signal.throwIfAborted()
    const outputPath = this.#outputOf(service)
    return new PreparedProcess(await this.#spawn(outputPath), { outputPath, clock: this.#options.clock })
  }

  async adopt(token: unknown, context: LaunchContext): Promise<Launched | undefined> {
    const identity = parseIdentity(token)
    if (identity === undefined || !isAlive(identity)) return undefined
    const { clock } = this.#options
    const output = await OutputFile.follow(this.#outputOf(context.service), context.log, 'end').catch(
      (error: Error) => {
        context.log(`what it prints is lost: ${error.message}`)
        return undefined
      },
    )
    return new ProcessInstance(identity satisfies ProcessIdentity, {
      gone: endOfStranger(identity, clock),
      output,
      clock,
    })
  }

  async close(): Promise<void> {}

  #outputOf(service: string): string {
    return join(this.#options.directory, `${service}.out`)
  }

  /** @throws ConduitError LAUNCHER */
  async #spawn(outputPath: string): Promise<ChildProcess> {
    const { command, env, cwd = process.cwd() } = this.#config
    const environment = { ...this.#options.environment, ...env }
    const folder = await stat(cwd).catch(() => undefined)
    if (folder?.isDirectory() !== true) {
      throw new ConduitError('LAUNCHER', `${cwd} is no directory`, { endpoint: cwd, hint: 'correct launcher.cwd' })
    }
    await findProgram(command[0]!, { cwd, searchPath: environment.PATH ?? '/usr/bin:/bin' })
    const child = spawn('/bin/sh', ['-c', GATE, outputPath, ...command], {
      cwd,
      env: environment,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    })
    child.unref()
    await once(child, 'spawn').catch((cause) => {
      throw systemError(cause, `start ${command[0]}`, 'LAUNCHER')
    })
    child.on('error', () => undefined)
    return child
  }
}
