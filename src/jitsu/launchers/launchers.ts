// The launcher of each service, as its configuration names it.
import { mkdir } from 'node:fs/promises'
import type { LibvirtLauncherConfig, ServiceConfig, XenLauncherConfig } from '../../../protocol/jitsud-config.js'
import { ConduitError } from '../../errors.js'
import { systemError } from '../../native.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { Launcher } from '../launcher.js'
import { type Logger, silentLogger } from '../logger.js'
import { type MonotonicClock, monotonicClock } from '../monotonic-clock.js'
import { builderPath } from './builder-program.js'
import { DomainBuilder } from './domain-builder.js'
import { LibvirtLauncher } from './libvirt-launcher.js'
import { type LauncherSurroundings, loadLauncher } from './module-launcher.js'
import { ProcessLauncher } from './process-launcher.js'
import { VirshSession } from './virsh-session.js'
import { sweepDevices } from './xen-device-sweep.js'
import { XenLauncher } from './xen-launcher.js'
import { XlLauncher } from './xl-launcher.js'

export interface LaunchersOptions {
  /** For files of the launchers: output of programs, configurations and images of domains. Made if need be, for this user alone. */
  readonly directory: string
  /** Of the local hypervisor: programs find it by CONDUIT_RUNTIME_DIR. */
  readonly runtimeDir?: string | undefined
  /** What programs get of jitsud's own environment: process.env without what systemd means for jitsud alone, by default. */
  readonly environment?: NodeJS.ProcessEnv | undefined
  readonly clock?: MonotonicClock | undefined
  /** Xen's own store, with dom0's rights: `xl` and `xen` need it. */
  readonly xenStore?: XenstoreClient | undefined
  /** What the launchers' own children say. */
  readonly log?: Logger | undefined
}

interface SharedBuilder {
  readonly builder: DomainBuilder
  /** Launchers that have it. */
  users: number
  swept?: Promise<void>
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
  readonly #log: Logger
  #builder: SharedBuilder | undefined
  /** One a connection, for as long as a launcher has it. */
  readonly #sessions = new Map<string, { readonly session: VirshSession; users: number }>()

  private constructor(surroundings: LauncherSurroundings, { xenStore, log }: LaunchersOptions) {
    this.#surroundings = surroundings
    this.#xenStore = xenStore
    this.#log = log ?? silentLogger
  }

  /** @throws ConduitError LAUNCHER when the directory cannot be made */
  static async open(options: LaunchersOptions): Promise<Launchers> {
    const { directory, runtimeDir, environment, clock } = options
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
    return new Launchers(surroundings, options)
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
        return new XlLauncher(launcher, { ...this.#surroundings, store: this.#storeFor(config) })
      case 'xen':
        return this.#xen(launcher, config)
      case 'module':
        return loadLauncher(config, this.#surroundings)
      case 'libvirt':
        return this.#libvirt(launcher)
    }
  }

  /** @throws ConduitError CONFIG outside dom0 */
  #storeFor({ name, launcher: { kind } }: ServiceConfig): XenstoreClient {
    if (this.#xenStore !== undefined) return this.#xenStore
    throw new ConduitError('CONFIG', `service ${name}: the launcher ${kind} needs Xen, and this is not its dom0`, {
      endpoint: name,
      hint: 'run jitsud in dom0, as root; elsewhere use "kind": "process"',
    })
  }

  /** All of a jitsud share one builder. @throws ConduitError CONFIG where there is none that works */
  async #xen(launcher: XenLauncherConfig, config: ServiceConfig): Promise<Launcher> {
    const store = this.#storeFor(config)
    this.#builder ??= {
      users: 0,
      builder: new DomainBuilder({
        program: builderPath(),
        environment: this.#surroundings.environment,
        log: (line) => this.#log.info(`domain builder: ${line}`),
      }),
    }
    const shared = this.#builder
    shared.users++
    const onClose = async (): Promise<void> => {
      if (--shared.users > 0) return
      if (this.#builder === shared) this.#builder = undefined
      await shared.builder.close()
    }
    try {
      await shared.builder.ready()
      shared.swept ??= this.#sweep(shared.builder, store)
      await shared.swept
    } catch (error) {
      await onClose()
      const { message, hint } = error as ConduitError
      throw new ConduitError('CONFIG', `service ${config.name}: the launcher xen cannot be used: ${message}`, {
        endpoint: config.name,
        hint,
        cause: error,
      })
    }
    try {
      return new XenLauncher(launcher, { ...this.#surroundings, builder: shared.builder, store, onClose })
    } catch (error) {
      await onClose()
      throw error
    }
  }

  async #sweep(builder: DomainBuilder, store: XenstoreClient): Promise<void> {
    const log = (line: string): void => this.#log.info(line)
    const swept = await sweepDevices({ ...this.#surroundings, builder, store, log })
    if (swept > 0) log(`took away ${swept} devices of domains that are gone`)
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
