// A directory over the embedded store, with a clock that the test moves and launchers that do what it says.
import { parseJitsudConfig, type ServiceConfig } from '../../protocol/jitsud-config.js'
import { domid } from '../../protocol/xen.js'
import { Directory, type DirectoryOptions } from '../../src/jitsu/directory.js'
import type { Logger } from '../../src/jitsu/logger.js'
import type { Service } from '../../src/jitsu/summon.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { ManualClock } from './manual-clock.js'
import { ScriptedInstance, ScriptedLauncher } from './scripted-launcher.js'
import type { StoreGuest } from './store-guest.js'
import { StoreWorld } from './store-world.js'

/** Services as the configuration has them; the launcher is the test's. */
export function servicesOf(...services: object[]): readonly ServiceConfig[] {
  const launcher = { kind: 'process', command: ['true'] }
  const parsed = parseJitsudConfig({ services: services.map((service) => ({ launcher, ...service })) })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  return parsed.config.services
}

/** A log that a test can read. */
export class LogLines implements Logger {
  readonly lines: string[] = []
  readonly error = (message: string): void => void this.lines.push(`error ${message}`)
  readonly warn = (message: string): void => void this.lines.push(`warn ${message}`)
  readonly info = (message: string): void => void this.lines.push(`info ${message}`)
  readonly debug = (message: string): void => void this.lines.push(`debug ${message}`)
}

export class DirectoryWorld {
  readonly clock = new ManualClock()
  readonly log = new LogLines()
  /** One a service, by name; made when it is asked for. */
  readonly launchers = new Map<string, ScriptedLauncher>()
  directory!: Directory
  #nextDomid = 10

  readonly world: StoreWorld
  readonly store: XenstoreClient

  private constructor(world: StoreWorld, store: XenstoreClient) {
    this.world = world
    this.store = store
  }

  static async start(
    services: readonly ServiceConfig[],
    options: Partial<DirectoryOptions> = {},
  ): Promise<DirectoryWorld> {
    const world = await DirectoryWorld.bare()
    await world.open(services, options)
    return world
  }

  /** Without a directory yet. */
  static async bare(): Promise<DirectoryWorld> {
    const world = await StoreWorld.start()
    return new DirectoryWorld(world, await world.client(0))
  }

  async open(services: readonly ServiceConfig[], options: Partial<DirectoryOptions> = {}): Promise<Directory> {
    this.directory = await Directory.open({
      services,
      launchers: ({ name }) => this.launcher(name),
      store: this.store,
      clock: this.clock,
      log: this.log,
      wallClock: () => 1_000_000,
      ...options,
    })
    return this.directory
  }

  launcher(name = 'www'): ScriptedLauncher {
    const known = this.launchers.get(name)
    if (known !== undefined) return known
    const made = new ScriptedLauncher()
    this.launchers.set(name, made)
    return made
  }

  service(name = 'www'): Service {
    const service = this.directory.byName(name)
    if (service === undefined) throw new Error(`no service ${name}`)
    return service
  }

  /** A new domain that the store knows. */
  async guest(): Promise<StoreGuest> {
    return this.world.guest(this.#nextDomid++)
  }

  /** A guest's instance. */
  async instance(): Promise<{ guest: StoreGuest; instance: ScriptedInstance }> {
    const guest = await this.guest()
    return { guest, instance: new ScriptedInstance({ domid: domid(guest.domid) }) }
  }

  async close(): Promise<void> {
    await this.directory?.close()
    await this.world.close()
  }
}
