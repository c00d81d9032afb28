// jitsud as one value: composes domain 0's seat, the directory, and where it is asked. The configuration comes in checked;
// files, signals and the service manager are the program's (src/cli/).
import { dirname, join } from 'node:path'
import type { JitsudConfig } from '../../protocol/jitsud-config.js'
import type { ServiceConfig } from '../../protocol/jitsud-service-config.js'
import { ConduitError } from '../errors.js'
import type { Health, JitsudStatus } from './admin/status.js'
import { Directory } from './directory.js'
import { DomainZero, type DomainZeroOptions } from './domain-zero.js'
import { HeldServices } from './held-services.js'
import { handoverEnvironment } from './hold/index.js'
import { JitsudListeners } from './jitsud-listeners.js'
import { JitsudNode } from './jitsud-node.js'
import { jitsudOpeners } from './jitsud-openers.js'
import { JitsudView } from './jitsud-view.js'
import { Launchers } from './launchers/launchers.js'
import { errorFields, type Logger, silentLogger } from './logger.js'
import { PublishedStates } from './published-states.js'
import { StateLock } from './state-lock.js'
import type { Timeline } from './timeline.js'

/** With what runs when jitsud ends: `default` stops programs, whose parent it is, and leaves guests for the next jitsud. */
export type OnExit = 'default' | 'stop' | 'leave'

/** An address that is held for a service, with the port that the kernel chose for 0. */
export interface HeldPlace {
  /** The service's conduit name. */
  readonly service: string
  /** `ADDRESS:PORT`. */
  readonly address: string
}

/** What Jitsud.start() takes. */
export interface JitsudOptions extends Omit<DomainZeroOptions, 'log'> {
  /** Checked: of readConfig() or checkedConfig(). */
  readonly config: JitsudConfig
  /** Where it came from, for people. */
  readonly configFile?: string | undefined
  /** Silent by default. */
  readonly log?: Logger | undefined
  /** `default` where it is left out. */
  readonly onExit?: OnExit | undefined
  /** Where it keeps what runs, unless the configuration says so; in the runtime directory, on Xen in `/var/lib/jitsud`. */
  readonly stateFile?: string | undefined
  /** Of the program, for people. */
  readonly version?: string | undefined
}

const XEN_STATE_FILE = '/var/lib/jitsud/state.json'
const STATE_FILE_NAME = 'jitsud-state.json'
const HANDOVER_FOLDER = 'handover'
const LAUNCHERS_FOLDER = 'launchers'

/**
 * Boots services when somebody asks for their names.
 *
 * @example
 * await using jitsud = await Jitsud.start({ config: await readConfig('jitsud.json') })
 * console.log(jitsud.dnsAddress)
 */
export class Jitsud implements AsyncDisposable {
  readonly #options: JitsudOptions
  readonly #log: Logger
  readonly #zero: DomainZero
  readonly #stateFile: string
  #config: JitsudConfig
  #lock: StateLock | undefined
  #directory!: Directory
  #node: JitsudNode | undefined
  #listeners!: JitsudListeners
  #view!: JitsudView
  #states: PublishedStates | undefined
  #changing: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined

  /**
   * Resolves when every name is answered.
   * @throws ConduitError EADDRINUSE, EACCES, CONFIG, SYSTEM, SUBSTRATE_UNAVAILABLE, RUNTIME_DIR, ADDON_MISSING
   */
  static async start(options: JitsudOptions): Promise<Jitsud> {
    const log = options.log ?? silentLogger
    const jitsud = new Jitsud(options, log, await DomainZero.open({ ...options, log }))
    try {
      await jitsud.#begin()
      return jitsud
    } catch (error) {
      // What it found running goes on: it was not this one's.
      await jitsud.#end('leave')
      throw error
    }
  }

  private constructor(options: JitsudOptions, log: Logger, zero: DomainZero) {
    this.#options = options
    this.#log = log
    this.#zero = zero
    this.#config = options.config
    const usual = zero.runtimeDir === undefined ? XEN_STATE_FILE : join(zero.runtimeDir, STATE_FILE_NAME)
    this.#stateFile = options.config.stateFile ?? options.stateFile ?? usual
  }

  /** Where DNS is answered, with the port that the kernel chose for 0. */
  get dnsAddress(): string | undefined {
    return this.#listeners.dns?.address
  }

  /** Where the admin pages are. */
  get adminAddress(): string | undefined {
    return this.#listeners.admin?.address
  }

  /** Addresses that are held, by service and in the order of the configuration. */
  get heldAddresses(): readonly HeldPlace[] {
    return this.#listeners.held.map(({ config, address }) => ({ service: config.service, address: address.address }))
  }

  /** In one line, what it serves and where. */
  get summary(): string {
    const { size } = this.#directory
    const places = [
      ...(this.dnsAddress === undefined ? [] : [`DNS at ${this.dnsAddress}`]),
      ...(this.adminAddress === undefined ? [] : [`admin at ${this.adminAddress}`]),
    ]
    return [`${size} ${size === 1 ? 'service' : 'services'}`, ...places].join(', ')
  }

  /** All services as they are now. */
  status(): JitsudStatus {
    return this.#view.status()
  }

  /** Whether it can do its work. */
  health(): Health {
    return this.#view.health()
  }

  /** The last summons of a service, or of all, oldest first within a service; undefined where there is no such service. */
  timelines(service?: string): readonly Timeline[] | undefined {
    return this.#view.timelines(service)
  }

  /**
   * Another configuration. What it does not change goes on untouched: services that run, connections, addresses. All of it or,
   * when it rejects, nothing.
   * @throws ConduitError CONFIG, EADDRINUSE, EACCES, …
   */
  reload(config: JitsudConfig): Promise<void> {
    return this.#alone(async () => {
      try {
        await this.#change(config)
        this.#view.reloaded()
      } catch (error) {
        this.#view.reloaded(error as Error)
        throw error
      }
    })
  }

  /** A configuration could not even be read: the one before goes on, and the status says so. */
  reloadFailed(error: Error): void {
    this.#view.reloaded(error)
  }

  /** Stops answering, then what `onExit` says, then everything else. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#alone(() => this.#end(this.#options.onExit ?? 'default'))
    return this.#closed
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #begin(): Promise<void> {
    const { environment, store, backend, socketFolder } = this.#zero
    this.#lock = StateLock.acquire(this.#stateFile)
    const handover = join(socketFolder, HANDOVER_FOLDER)
    const launchers = await Launchers.open({
      directory: join(dirname(this.#stateFile), LAUNCHERS_FOLDER),
      runtimeDir: this.#zero.runtimeDir,
      xenStore: backend === 'xen' ? store : undefined,
      log: this.#log,
    })
    const processDomid = backend === 'xen' ? environment.domid : undefined
    const directory = await Directory.open({
      services: this.#config.services,
      launchers: (config) => launchers.launcherOf(handedOver(config, handover)),
      store,
      processDomid,
      poolMemoryMib: this.#config.pool.maxMemoryMib,
      stateFile: this.#stateFile,
      log: this.#log,
      onTimeline: (timeline) => this.#view?.observe(timeline),
      onState: (service) => this.#states?.changed(service),
    })
    this.#directory = directory
    this.#states = new PublishedStates(store, directory, this.#log)
    const held = new HeldServices({ services: directory, directory: handover, environment, log: this.#log })
    const { configFile, version = '' } = this.#options
    const view: JitsudView = new JitsudView({
      zero: this.#zero,
      directory,
      configFile,
      version,
      get listeners() {
        return listeners
      },
    })
    const listeners = new JitsudListeners(jitsudOpeners({ services: directory, held, view, log: this.#log }))
    this.#view = view
    this.#listeners = listeners
    this.#node = await JitsudNode.listen({
      conduit: environment,
      store,
      processDomid,
      localStore: backend === 'xen' ? this.#zero.localStore : undefined,
      services: directory,
      log: this.#log,
    })
    await this.#listen(this.#config)
    this.#zero.onHostId(() => void this.#alone(() => this.#identify()))
    this.#say()
  }

  async #listen(config: JitsudConfig): Promise<void> {
    await (await this.#listeners.prepare(config, this.#zero.hostId)).commit()
  }

  /** The store is another one, and so is the host's id, by which DNS tells clients whether they are on it. Never rejects. */
  async #identify(): Promise<void> {
    if (this.#closed !== undefined) return
    await this.#listen(this.#config).catch((error: unknown) => {
      this.#log.error('DNS does not know the id of this host', errorFields(error))
    })
  }

  async #change(config: JitsudConfig): Promise<void> {
    const before = this.#config
    if (config.stateFile !== before.stateFile) throw fixed('stateFile')
    const change = await this.#listeners.prepare(config, this.#zero.hostId)
    await this.#directory.reload(config.services, config.pool.maxMemoryMib).catch(async (error: unknown) => {
      await change.abandon()
      throw error
    })
    try {
      await change.commit()
      this.#config = config
    } catch (error) {
      await this.#restore(before)
      throw error
    }
    this.#say()
  }

  /** An address could not be had although nobody of this process had it: as far as possible, all is as it was. */
  async #restore(before: JitsudConfig): Promise<void> {
    try {
      await this.#directory.reload(before.services, before.pool.maxMemoryMib)
      await this.#listen(before)
    } catch (error) {
      this.#log.error('not all of the configuration before could be restored', errorFields(error))
    }
  }

  #say(): void {
    this.#log.info('jitsud serves', {
      services: this.#directory.size,
      dns: this.dnsAddress,
      admin: this.adminAddress,
      held: this.heldAddresses,
    })
  }

  /** One change at a time. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(work)
    this.#changing = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  /** In this order: nobody asks any more, then nothing runs that should not, then nobody looks. */
  async #end(onExit: OnExit): Promise<void> {
    await this.#listeners?.closeToClients()
    await this.#node?.close()
    await this.#directory?.close({ stopServices: stops(onExit) })
    await this.#listeners?.close()
    await this.#states?.close()
    await this.#zero.close()
    this.#lock?.release()
  }
}

const stops =
  (onExit: OnExit) =>
  (config: ServiceConfig): boolean =>
    onExit === 'stop' || (onExit === 'default' && config.launcher.kind === 'process')

/** Programs are told where to ask for the connections that jitsud holds for them, or may hold after a reload. */
function handedOver(config: ServiceConfig, folder: string): ServiceConfig {
  const { launcher, name } = config
  if (launcher.kind !== 'process') return config
  return { ...config, launcher: { ...launcher, env: { ...handoverEnvironment(folder, name), ...launcher.env } } }
}

const fixed = (key: string): ConduitError =>
  new ConduitError('CONFIG', `${key} cannot change while jitsud runs`, {
    hint: 'put back what it was, or start jitsud again',
  })
