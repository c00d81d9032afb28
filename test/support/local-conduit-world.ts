// The rendezvous over the local hypervisor: a runtime directory of its own, dom0 over its socket.
import { join } from 'node:path'
import { XENSTORE_SOCKET_NAME } from '../../protocol/local-control.js'
import { Conduit } from '../../src/conduit/conduit.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { type ConduitWorld, leftoversIn } from './conduit-world.js'
import { eventually } from './eventually.js'
import { type LocalWorld, localWorld } from './local-world.js'

export class LocalConduitWorld implements ConduitWorld {
  dom0!: XenstoreClient
  readonly #local: LocalWorld = localWorld()
  readonly #conduits: Conduit[] = []

  static async start(): Promise<LocalConduitWorld> {
    const world = new LocalConduitWorld()
    // Somebody has to be there for the hypervisor to be.
    await world.environment()
    world.dom0 = await XenstoreClient.open(unixSocketTransport(join(world.#local.directory, XENSTORE_SOCKET_NAME)))
    return world
  }

  async environment(): Promise<Conduit> {
    const conduit = await Conduit.open({ substrate: await this.#local.attach() })
    this.#conduits.push(conduit)
    return conduit
  }

  bare(): Promise<Substrate> {
    return this.#local.attach()
  }

  leftovers(): Promise<string[]> {
    return leftoversIn(this.dom0)
  }

  async close(): Promise<void> {
    await Promise.all(this.#conduits.map((conduit) => conduit.close()))
    await eventually(async () => (await this.leftovers()).length === 0)
    await this.dom0.close()
    await this.#local.close()
  }
}
