// Writes into the store where each service is, for `conduit-cat ls` and whoever else looks. Nobody waits for it: a state that
// changed again meanwhile is written once.
import { SERVICE_STATES_ROOT, serviceStatePath } from '../../protocol/conduit.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'
import { errorFields, type Logger } from './logger.js'
import type { Services } from './summon.js'

export class PublishedStates {
  readonly #store: XenstoreClient
  readonly #services: Services
  readonly #log: Logger
  readonly #stop: (() => void)[]
  readonly #changed = new Set<string>()
  readonly #known = new Set<string>()
  #writing: Promise<void> | undefined
  #closed = false

  /** @param store with dom0's rights */
  constructor(store: XenstoreClient, services: Services, log: Logger) {
    this.#store = store
    this.#services = services
    this.#log = log
    // A new store knows nothing of it.
    this.#stop = [services.onChange(() => this.#all()), store.onReconnect(() => this.#all())]
    this.#all()
  }

  changed(name: string): void {
    if (this.#closed) return
    this.#changed.add(name)
    this.#writing ??= this.#write()
  }

  /** Nothing of it is left in the store. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    for (const stop of this.#stop.splice(0)) stop()
    await this.#writing
    await this.#store.remove(SERVICE_STATES_ROOT).catch(() => undefined)
  }

  #all(): void {
    for (const name of this.#known) this.changed(name)
    for (const { name } of this.#services) this.changed(name)
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    // In a turn of its own: several changes come at once.
    await new Promise((resolve) => setImmediate(resolve))
    for (const name of this.#changed) {
      this.#changed.delete(name)
      if (this.#closed) break
      await this.#publish(name).catch((error: unknown) => {
        // Once the store is back, all of it is written again.
        if (!isConduitError(error, 'XENSTORE_DISCONNECTED')) {
          this.#log.warn('the state of a service could not be published', { ...errorFields(error), service: name })
        }
      })
    }
    this.#writing = undefined
  }

  async #publish(name: string): Promise<void> {
    const service = this.#services.byName(name)
    if (service !== undefined) {
      this.#known.add(name)
      await this.#store.write(serviceStatePath(name), service.state)
    } else if (this.#known.delete(name)) {
      await this.#store.remove(serviceStatePath(name))
    }
  }
}
