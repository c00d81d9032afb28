// The launcher of each service, as its configuration names it.
import { mkdir } from 'node:fs/promises'
import type { ServiceConfig } from '../../../protocol/jitsud-config.js'
import { systemError } from '../../native.js'
import type { Launcher } from '../launcher.js'
import { type MonotonicClock, monotonicClock } from '../monotonic-clock.js'
import { type LauncherSurroundings, loadLauncher } from './module-launcher.js'
import { ProcessLauncher } from './process-launcher.js'

export interface LaunchersOptions {
  /** For files of the launchers: output of programs, configurations and images of domains. Made if need be, for this user alone. */
  readonly directory: string
  /** Of the local hypervisor: programs find it by CONDUIT_RUNTIME_DIR. */
  readonly runtimeDir?: string | undefined
  /** What programs get of jitsud's own environment: process.env without what systemd means for jitsud alone, by default. */
  readonly environment?: NodeJS.ProcessEnv | undefined
  readonly clock?: MonotonicClock | undefined
}

/** Meant for the one process that systemd started (sd_notify(3), sd_listen_fds(3), systemd.exec(5)). */
const NOT_INHERITED = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
  'JOURNAL_STREAM',
  'INVOCATION_ID',
]

export class Launchers {
  readonly #surroundings: LauncherSurroundings

  private constructor(surroundings: LauncherSurroundings) {
    this.#surroundings = surroundings
  }

  /** @throws ConduitError LAUNCHER when the directory cannot be made */
  static async open({ directory, runtimeDir, environment, clock }: LaunchersOptions): Promise<Launchers> {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause) => {
      throw systemError(cause, `make ${directory}`, 'LAUNCHER')
    })
    return new Launchers({
      directory,
      environment: {
        ...(environment ?? inherited()),
        ...(runtimeDir === undefined ? {} : { CONDUIT_RUNTIME_DIR: runtimeDir }),
      },
      clock: clock ?? monotonicClock,
    })
  }

  /**
   * The launcher of a service; the caller closes it.
   * @throws ConduitError CONFIG for a module that is not there, or no launcher
   */
  async launcherOf(config: ServiceConfig): Promise<Launcher> {
    const { launcher } = config
    switch (launcher.kind) {
      case 'process':
        return new ProcessLauncher(launcher, this.#surroundings)
      case 'module':
        return loadLauncher(config, this.#surroundings)
      default:
        throw new RangeError(`no launcher ${launcher.kind}`)
    }
  }
}

const inherited = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_INHERITED.includes(name)))
