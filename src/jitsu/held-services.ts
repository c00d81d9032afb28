// Opens the addresses that are held for services, and the sockets at which their processes ask for connections: one a service,
// for as long as an address of it is handed over by descriptor.
import type { Conduit } from '../conduit/conduit.js'
import { HeldAddress, Takers } from './hold/index.js'
import type { Held, HeldConfig } from './jitsud-listeners.js'
import type { Logger } from './logger.js'
import { NamedService } from './named-service.js'
import type { Services } from './summon.js'

/** What HeldServices lives on. */
export interface HeldServicesOptions {
  readonly services: Services
  /** Where processes ask for connections: this user's own. */
  readonly directory: string
  /** For connections that are handed over as conduit streams. */
  readonly environment: Conduit
  readonly log: Logger
}

interface SharedTakers {
  readonly takers: Takers
  users: number
}

export class HeldServices {
  readonly #options: HeldServicesOptions
  readonly #takers = new Map<string, SharedTakers>()

  constructor(options: HeldServicesOptions) {
    this.#options = options
  }

  /** @throws ConduitError EADDRINUSE, EACCES, EMFILE, RUNTIME_DIR, SYSTEM */
  async open(config: HeldConfig): Promise<Held> {
    const { services, environment, log } = this.#options
    const { hold, service: name } = config
    const service = new NamedService(services, name)
    const takers = hold.handover === 'fd' ? this.#acquire(service) : undefined
    const release = (): void => {
      if (takers !== undefined) this.#release(name)
    }
    try {
      const address = await HeldAddress.listen(hold, service, {
        takers,
        connect: (to, options) => environment.connect(to, options),
        log: {
          info: (fields, message) => log.info(message, { ...fields }),
          warn: (fields, message) => log.warn(message, { ...fields }),
        },
      })
      let open = true
      const close = async (): Promise<void> => {
        await address.close()
        if (open) release()
        open = false
      }
      return { config, address, close }
    } catch (error) {
      release()
      throw error
    }
  }

  #acquire(service: NamedService): Takers {
    const shared = this.#takers.get(service.name) ?? {
      takers: Takers.listen(service, { directory: this.#options.directory }),
      users: 0,
    }
    shared.users++
    this.#takers.set(service.name, shared)
    return shared.takers
  }

  #release(service: string): void {
    const shared = this.#takers.get(service)
    if (shared === undefined || --shared.users > 0) return
    this.#takers.delete(service)
    shared.takers.close()
  }
}
