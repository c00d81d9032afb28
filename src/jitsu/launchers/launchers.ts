// The launcher of each service, as its configuration names it.
import { mkdir } from 'node:fs/promises'
import type { LibvirtLauncherConfig, ServiceConfig } from '../../../protocol/jitsud-config.js'
import { ConduitError } from '../../errors.js'
import { systemError } from '../../native.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { Launcher } from '../launcher.js'
import { type MonotonicClock, monotonicClock } from '../monotonic-clock.js'
import { LibvirtLauncher } from './libvirt-launcher.js'
import { type LauncherSurroundings, loadLauncher } from './module-launcher.js'
import { ProcessLauncher } from './process-launcher.js'
import { VirshSession } from './virsh-session.js'
import { XlLauncher } from './xl-launcher.js'

export interface LaunchersOptions {
  /** For files of the launchers: output of programs, configurations and images of domains. Made if need be, for this user alone. */
  readonly directory: string
  /** Of the local hypervisor: programs find it by CONDUIT_RUNTIME_DIR. */
  readonly runtimeDir?: string | undefined
  /** What programs get of jitsud's own environment: process.env without what systemd means for jitsud alone, by default. */
  readonly environment?: NodeJS.ProcessEnv | undefined
  readonly clock?: MonotonicClock | undefined
  /** Xen's own store, with dom0's rights: `xl` needs it. */
  readonly xenStore?: XenstoreClient | undefined
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
  readonly #xenStore: XenstoreClient | undefined
  /** One a connection, for as long as a launcher has it. */
  readonly #sessions = new Map<string, { readonly session: VirshSession; users: number }>()

  private constructor(surroundings: LauncherSurroundings, xenStore: XenstoreClient | undefined) {
    this.#surroundings = surroundings
    this.#xenStore = xenStore
  }

  /** @throws ConduitError LAUNCHER when the directory cannot be made */
  static async open({ directory, runtimeDir, environment, clock, xenStore }: LaunchersOptions): Promise<Launchers> {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause) => {
      throw systemError(cause, `make ${directory}`, 'LAUNCHER')
    })
    const surroundings = {
      directory,
      environment: {
        ...(environment ?? inherited()),
        ...(runtimeDir === undefined ? {} : { CONDUIT_RUNTIME_DIR: runtimeDir }),
      },
      clock: clock ?? monotonicClock,
    }
    return new Launchers(surroundings, xenStore)
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
      case 'xl':
        if (this.#xenStore === undefined) {
          throw new ConduitError(
            'CONFIG',
            `service ${config.name}: the launcher xl needs Xen, and this is not its dom0`,
            {
              endpoint: config.name,
              hint: 'run jitsud in dom0, as root; elsewhere use "kind": "process"',
            },
          )
        }
        return new XlLauncher(launcher, { ...this.#surroundings, store: this.#xenStore })
      case 'module':
        return loadLauncher(config, this.#surroundings)
      case 'libvirt':
        return this.#libvirt(launcher)
    }
  }

  #libvirt(config: LibvirtLauncherConfig): Launcher {
    const { uri } = config
    const { environment, clock } = this.#surroundings
    const shared = this.#sessions.get(uri) ?? { session: new VirshSession({ uri, environment, clock }), users: 0 }
    this.#sessions.set(uri, shared)
    shared.users++
    const onClose = (): void => {
      if (--shared.users > 0) return
      this.#sessions.delete(uri)
      shared.session.close()
    }
    return new LibvirtLauncher(config, { session: shared.session, clock, onClose })
  }
}

const inherited = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_INHERITED.includes(name)))
