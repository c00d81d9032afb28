// A local hypervisor with a directory, its launchers and its node `jitsud`, and clients that connect by name.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServiceConfig } from '../../protocol/jitsud-config.js'
import { XENSTORE_SOCKET_NAME } from '../../protocol/local-control.js'
import { Conduit } from '../../src/conduit/conduit.js'
import { Directory } from '../../src/jitsu/directory.js'
import { JitsudNode } from '../../src/jitsu/jitsud-node.js'
import { Launchers } from '../../src/jitsu/launchers/launchers.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { LogLines } from './directory-world.js'
import { eventually } from './eventually.js'
import { type LocalWorld, localWorld } from './local-world.js'

/** Listens on the conduit name that is its argument. */
export const SUMMONED_SERVER = fileURLToPath(new URL('../integration/children/summoned-server.js', import.meta.url))

export class SummonWorld {
  readonly local: LocalWorld = localWorld()
  readonly log = new LogLines()
  readonly files = mkdtempSync(join(tmpdir(), 'conduit-summon-'))
  conduit!: Conduit
  dom0!: XenstoreClient
  directory!: Directory
  node: JitsudNode | undefined
  readonly #clients: Conduit[] = []

  static async start(services: readonly ServiceConfig[]): Promise<SummonWorld> {
    const world = new SummonWorld()
    world.conduit = await Conduit.open({ substrate: await world.local.attach() })
    world.dom0 = await XenstoreClient.open(unixSocketTransport(join(world.local.directory, XENSTORE_SOCKET_NAME)))
    await world.open(services)
    return world
  }

  async open(services: readonly ServiceConfig[]): Promise<void> {
    const launchers = await Launchers.open({ directory: join(this.files, 'jitsud'), runtimeDir: this.local.directory })
    this.directory = await Directory.open({
      services,
      launchers: (config) => launchers.launcherOf(config),
      store: this.dom0,
      stateFile: join(this.files, 'state.json'),
      log: this.log,
    })
    this.node = await JitsudNode.listen({
      conduit: this.conduit,
      store: this.dom0,
      services: this.directory,
      log: this.log,
    })
  }

  /** As a restart of jitsud: what runs goes on. */
  async restart(services: readonly ServiceConfig[]): Promise<void> {
    await this.node?.close()
    await this.directory.close()
    await this.open(services)
  }

  async client(): Promise<Conduit> {
    const client = await Conduit.open({ substrate: await this.local.attach() })
    this.#clients.push(client)
    return client
  }

  state(name: string): string | undefined {
    return this.directory.byName(name)?.state
  }

  becomes(name: string, state: string): Promise<boolean> {
    return eventually(() => this.state(name) === state)
  }

  async close(): Promise<void> {
    await this.node?.close()
    await this.directory.close({ stopServices: true })
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.conduit.close()
    await this.dom0.close()
    await this.local.close()
    rmSync(this.files, { recursive: true })
  }
}
