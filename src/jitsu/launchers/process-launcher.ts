// Starts a program on this machine: a session of its own, no stdin, its output in a file of its own. The program waits at a gate
// until its name is kept for it, since it may ask for that name with its first breath.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import type { ProcessLauncherConfig } from '../../../protocol/jitsud-config.js'
import { ConduitError } from '../../errors.js'
import { systemError } from '../../native.js'
import type { LaunchContext, Launched, Launcher, StopMode } from '../launcher.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { findProgram } from './find-program.js'
import { createOutput, OutputFile } from './output-file.js'
import { endOfChild, endOfStranger, ProcessInstance, signalGroup } from './process-instance.js'
import { identityOf, isAlive, type ProcessIdentity, parseIdentity } from './process-table.js'

export interface ProcessLauncherOptions {
  /** Private to this user: the programs' output lies there. */
  readonly directory: string
  /** What `env` of the configuration is added to. */
  readonly environment: NodeJS.ProcessEnv
  readonly clock: MonotonicClock
}

/** The shell opens the gate by becoming the program; when jitsud dies first it reads the end, and goes. */
const GATE = 'read -r _ <&3 && exec "$@" 3<&-'
const GATE_FD = 3

export class ProcessLauncher implements Launcher {
  readonly kind = 'process'
  readonly stopModes: readonly StopMode[] = ['destroy', 'shutdown']
  readonly #config: ProcessLauncherConfig
  readonly #options: ProcessLauncherOptions

  constructor(config: ProcessLauncherConfig, options: ProcessLauncherOptions) {
    this.#config = config
    this.#options = options
  }

  async launch(context: LaunchContext): Promise<Launched> {
    const { signal } = context
    signal.throwIfAborted()
    const path = this.#outputOf(context.service)
    const { child, gone } = await this.#spawn(path)
    const pid = child.pid as number
    const identity = identityOf(pid)
    try {
      if (identity === undefined) throw new ConduitError('LAUNCHER', `process ${pid} is gone before it began`)
      const output = await OutputFile.follow(path, context.log, 'start')
      const instance = new ProcessInstance(identity, { gone, output, clock: this.#options.clock })
      context.step('built')
      await context.created(instance)
      signal.throwIfAborted()
      openGate(child)
      context.step('unpaused')
      return instance
    } catch (error) {
      // Still at the gate, so it has no children.
      signalGroup(pid, 'SIGKILL')
      await gone
      throw error
    }
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

  async #spawn(outputPath: string): Promise<{ readonly child: ChildProcess; readonly gone: Promise<string> }> {
    const { command, env, cwd = process.cwd() } = this.#config
    const environment = { ...this.#options.environment, ...env }
    const folder = await stat(cwd).catch(() => undefined)
    if (folder?.isDirectory() !== true) {
      throw new ConduitError('LAUNCHER', `${cwd} is no directory`, { endpoint: cwd, hint: 'correct launcher.cwd' })
    }
    await findProgram(command[0]!, { cwd, searchPath: environment.PATH ?? '/usr/bin:/bin' })
    const output = await createOutput(outputPath).catch((cause) => {
      throw systemError(cause, `make ${outputPath}`, 'LAUNCHER')
    })
    try {
      const child = spawn('/bin/sh', ['-c', GATE, 'sh', ...command], {
        cwd,
        env: environment,
        detached: true,
        stdio: ['ignore', output.fd, output.fd, 'pipe'],
      })
      const gone = endOfChild(child)
      child.unref()
      await once(child, 'spawn').catch((cause) => {
        throw systemError(cause, `start ${command[0]}`, 'LAUNCHER')
      })
      child.on('error', () => undefined)
      return { child, gone }
    } finally {
      await output.close()
    }
  }
}

function openGate(child: ChildProcess): void {
  const gate = child.stdio[GATE_FD] as Writable
  // It may be gone already: its end says so.
  gate.on('error', () => undefined)
  gate.end('\n')
}
