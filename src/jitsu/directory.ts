// The directory: every service that jitsud knows, by name. Adds, changes and removes them as the configuration does, remembers
// what runs, and finds it again after a restart. What happens within one service is managed-service.ts.
import { isDeepStrictEqual } from 'node:util'
import { RESERVATIONS_ROOT } from '../../protocol/conduit.js'
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import { POOL_MEMORY_MIB } from '../../protocol/jitsud-pool-config.js'
import type { JitsudState, ServiceRecord } from '../../protocol/jitsud-state.js'
import type { Domid } from '../../protocol/xen.js'
import { reservedNames, unreserveName } from '../conduit/reservations.js'
import { ConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { DirectoryContext } from './directory-context.js'
import { findAgain } from './find-again.js'
import type { Launcher } from './launcher.js'
import { checkAbilities } from './launcher-abilities.js'
import { errorFields, type Logger, silentLogger } from './logger.js'
import { ManagedService } from './managed-service.js'
import { type MonotonicClock, monotonicClock } from './monotonic-clock.js'
import { WarmPools } from './pool/warm-pools.js'
import { ProcessDomains } from './process-domains.js'
import { StateFile } from './state-file.js'
import type { Service, Services } from './summon.js'
import type { Timeline } from './timeline.js'

/** What Directory.open() takes. */
export interface DirectoryOptions {
  readonly services: readonly ServiceConfig[]
  /** The launcher of a service; closed by the directory. Called again when a service's `launcher` has changed. */
  readonly launchers: (config: ServiceConfig) => Launcher | Promise<Launcher>
  /** With dom0's rights; it stays the caller's. */
  readonly store: XenstoreClient
  /** Where the store is Xen's: the domain of programs on this machine, which is jitsud's own. */
  readonly processDomid?: Domid | undefined
  /** For all instances that are kept warm. */
  readonly poolMemoryMib?: number | undefined
  /** Absolute; nothing is remembered without one. */
  readonly stateFile?: string | undefined
  readonly log?: Logger | undefined
  /** Runs when a summon has ended, and once more when its first byte came after that. */
  readonly onTimeline?: ((timeline: Timeline) => void) | undefined
  /** Runs when the state of a service has changed. */
  readonly onState?: ((service: string) => void) | undefined
  readonly clock?: MonotonicClock | undefined
  /** Milliseconds since 1970: Date.now by default. */
  readonly wallClock?: (() => number) | undefined
}

/** All services, none, or some. */
export type StopServices = boolean | ((config: ServiceConfig) => boolean)

/** How long it may take to find out whether what ran before still runs. */
const ADOPT_TIMEOUT_MS = 10_000
const BYTES_PER_MIB = 2 ** 20

/**
 * The services of one machine.
 *
 * @example
 * await using directory = await Directory.open({ services: config.services, launchers, store })
 * await directory.byName('www')?.summon('dns')
 */
export class Directory implements Services, AsyncDisposable {
  readonly #options: DirectoryOptions
  readonly #context: DirectoryContext
  readonly #services = new Map<string, ManagedService>()
  readonly #byDns = new Map<string, ManagedService>()
  /** Removed, and still running. */
  readonly #retiring = new Map<string, ManagedService>()
  readonly #listeners = new Set<() => void>()
  readonly #state: StateFile | undefined
  readonly #stopReconnect: () => void
  /** Records of what could not be looked for. */
  readonly #lost = new Map<string, ServiceRecord>()
  /** What ran before has been looked for: until then the old state stands. */
  #found = false
  #reloading: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined

  private constructor(options: DirectoryOptions) {
    const { store, stateFile, log = silentLogger, onTimeline = () => undefined } = options
    this.#options = options
    const clock = options.clock ?? monotonicClock
    const onRecord = (): void => this.#save()
    const maxBytes = (options.poolMemoryMib ?? POOL_MEMORY_MIB) * BYTES_PER_MIB
    this.#context = {
      store,
      log,
      onTimeline,
      onState: options.onState ?? (() => undefined),
      clock,
      wallClock: options.wallClock ?? Date.now,
      processes: new ProcessDomains(store),
      pools: new WarmPools({ clock, log, maxBytes, onRecord }),
      processDomid: options.processDomid,
      onRecord,
    }
    this.#state = stateFile === undefined ? undefined : StateFile.at(stateFile, log, () => this.#snapshot())
    this.#stopReconnect = store.onReconnect(() => {
      // A new store knows of no name that is kept.
      for (const service of this.#services.values()) void service.reserve()
    })
  }

  /**
   * Take the services up, with what of them still runs since the last time.
   * @throws ConduitError CONFIG when a launcher cannot do what its service asks for; SYSTEM when the state file cannot be kept;
   * EACCES unless the store gives dom0's rights
   */
  static async open(options: DirectoryOptions): Promise<Directory> {
    const directory = new Directory(options)
    try {
      await directory.#begin()
      return directory
    } catch (error) {
      await directory.close()
      throw error
    }
  }

  get size(): number {
    return this.#services.size
  }

  byName(name: string): Service | undefined {
    return this.#services.get(name)
  }

  byDns(name: string): Service | undefined {
    return this.#byDns.get(name)
  }

  /** In the order of the configuration. */
  [Symbol.iterator](): Iterator<Service> {
    return this.#services.values()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The last summons of one service or of all, oldest first within a service. */
  timelines(name?: string): Timeline[] {
    const services = name === undefined ? [...this.#services.values()] : [this.#services.get(name)]
    return services.flatMap((service) => service?.timelines ?? [])
  }

  /**
   * Another configuration. Services that stay keep running: their names, addresses, `reply` and `idleSeconds` change at once,
   * everything else at their next boot. Those removed are stopped by their own mode, and are no longer found meanwhile.
   * All of it or, when it rejects, nothing.
   * @throws ConduitError CONFIG
   */
  reload(services: readonly ServiceConfig[], poolMemoryMib?: number): Promise<void> {
    const reloaded = this.#reloading.then(async () => {
      await this.#apply(services)
      if (poolMemoryMib !== undefined) this.#context.pools.limit(poolMemoryMib * BYTES_PER_MIB)
    })
    this.#reloading = reloaded.catch(() => undefined)
    return reloaded
  }

  /**
   * Give up the boots under way, and stop what runs where `stopServices` says so: what does not is found by the next directory
   * with the same state file. Idempotent.
   */
  close({ stopServices = false }: { readonly stopServices?: StopServices } = {}): Promise<void> {
    this.#closed ??= this.#close(stopServices)
    return this.#closed
  }

  /** {@link close}, for `await using`: what runs goes on. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #begin(): Promise<void> {
    const { services, stateFile } = this.#options
    const { log, store, pools } = this.#context
    const found = pools.hold()
    const state = stateFile === undefined ? undefined : await StateFile.read(stateFile, log)
    const records = new Map(Object.entries(state?.services ?? {}))
    // Who may not do this is not dom0.
    await store.mkdir(RESERVATIONS_ROOT)
    await this.#apply(services, records)
    const known = new Set(services.map(({ name }) => name))
    for (const name of await reservedNames(store)) if (!known.has(name)) await unreserveName(store, name)
    await Promise.all([...records].map(([name, record]) => this.#adopt(name, record)))
    this.#found = true
    this.#save()
    found()
  }

  async #apply(configs: readonly ServiceConfig[], records?: ReadonlyMap<string, ServiceRecord>): Promise<void> {
    const launchers = await this.#launchersFor(configs)
    const applied = this.#context.pools.hold()
    const kept = new Set(configs.map(({ name }) => name))
    for (const [name, service] of this.#services) if (!kept.has(name)) this.#retire(service)
    const services = configs.map((config, index) => {
      const launcher = launchers[index] as Launcher
      const known = this.#services.get(config.name) ?? this.#return(config.name)
      if (known === undefined) return new ManagedService(this.#context, config, launcher, records?.get(config.name))
      known.reconfigure(config, launcher)
      return known
    })
    const fresh = services.filter((service) => !this.#services.has(service.name))
    this.#index(services)
    applied()
    await Promise.all(fresh.map((service) => service.reserve()))
    this.#save()
    for (const listener of [...this.#listeners]) listener()
  }

  /** Those there are where nothing has changed. @throws ConduitError CONFIG, when none of the new ones is left */
  async #launchersFor(configs: readonly ServiceConfig[]): Promise<Launcher[]> {
    const made: Launcher[] = []
    try {
      const launchers: Launcher[] = []
      for (const config of configs) {
        const known = this.#services.get(config.name) ?? this.#retiring.get(config.name)
        let launcher = known?.launcher
        if (launcher === undefined || !isDeepStrictEqual(known?.config.launcher, config.launcher)) {
          launcher = await this.#options.launchers(config)
          made.push(launcher)
        }
        checkAbilities(config, launcher)
        launchers.push(launcher)
      }
      if (this.#closed !== undefined) throw closing()
      return launchers
    } catch (error) {
      await Promise.all(made.map((launcher) => launcher.close()))
      throw error
    }
  }

  #index(services: readonly ManagedService[]): void {
    this.#services.clear()
    this.#byDns.clear()
    for (const service of services) {
      this.#services.set(service.name, service)
      for (const name of service.dns) this.#byDns.set(name, service)
    }
  }

  #retire(service: ManagedService): void {
    const { log, store } = this.#context
    const { name } = service
    service.close(new ConduitError('BOOT_FAILED', `${name} was removed from the configuration`, { endpoint: name }))
    this.#retiring.set(name, service)
    const gone = service.stop(false).then(async () => {
      if (this.#retiring.get(name) !== service) return
      this.#retiring.delete(name)
      this.#save()
      await Promise.all([service.release(), unreserveName(store, name)])
    })
    gone.catch((error) => log.warn(`${name} was removed, and not all of it is gone`, errorFields(error)))
  }

  /** One that was removed and still runs. */
  #return(name: string): ManagedService | undefined {
    const service = this.#retiring.get(name)
    this.#retiring.delete(name)
    service?.reopen()
    return service
  }

  async #adopt(name: string, record: ServiceRecord): Promise<void> {
    const { log } = this.#context
    const { running, prepared } = record
    const service = this.#services.get(name)
    if (service === undefined && prepared !== undefined) {
      log.warn(`${name} had instances ready when jitsud ended, and is no longer configured: they are not looked for`, {
        prepared,
      })
    }
    if (running === undefined) return
    if (service === undefined || service.launcher.kind !== running.kind) {
      log.warn(`${name} ran when jitsud ended, and is no longer configured so: it is not looked for`, { ...running })
      return
    }
    try {
      const launched = await findAgain(this.#context, service, { token: running.token, timeoutMs: ADOPT_TIMEOUT_MS })
      log.info(launched === undefined ? `${name} has ended meanwhile` : `${name} still runs`, { service: name })
      if (launched !== undefined) service.adopt(launched, running)
    } catch (error) {
      this.#lost.set(name, record)
      log.error(`${name}: whether it still runs could not be found out`, { ...errorFields(error), service: name })
    }
  }

  #save(): void {
    if (this.#found) this.#state?.save()
  }

  #snapshot(): JitsudState {
    const services = [...this.#services.values(), ...this.#retiring.values()]
    const records = services.flatMap(({ name, record: own }) => {
      if (own?.running !== undefined) this.#lost.delete(name)
      const lost = this.#lost.get(name)
      const record = lost === undefined ? own : { number: lost.number, ...own, running: lost.running }
      return record === undefined ? [] : [[name, record] as const]
    })
    return { version: 1, services: Object.fromEntries(records) }
  }

  async #close(stopServices: StopServices): Promise<void> {
    const { log, store, processes, pools } = this.#context
    const stops = typeof stopServices === 'function' ? stopServices : () => stopServices
    const services = [...this.#services.values(), ...this.#retiring.values()]
    this.#stopReconnect()
    for (const service of services) service.close(closing())
    const drained = pools.close()
    const ended = await Promise.allSettled(
      services.map((service) => (stops(service.config) ? service.stop(true) : service.settled())),
    )
    for (const result of ended)
      if (result.status === 'rejected') log.error('not all is stopped', errorFields(result.reason))
    await drained
    const released = services.map((service) => service.release())
    await this.#state?.flush()
    await Promise.allSettled([
      ...released,
      ...services.map((service) => unreserveName(store, service.name)),
      processes.close(),
    ])
  }
}

const closing = (): ConduitError => new ConduitError('BOOT_FAILED', 'jitsud is ending', { hint: 'start it again' })
