// A service by its name, whoever has it: for what outlives a change of the configuration, or is made before it.
import { ConduitError } from '../errors.js'
import type { Instance, ReplyWhen, Service, ServiceState, Services, SummonedBy, SummonOptions, Use } from './summon.js'

const NO_USE: Use = { moved: () => undefined, release: () => undefined }

export class NamedService implements Service {
  readonly name: string
  readonly #services: Services

  constructor(services: Services, name: string) {
    this.#services = services
    this.name = name
  }

  get dns(): readonly string[] {
    return this.#found?.dns ?? []
  }

  get addresses(): readonly string[] {
    return this.#found?.addresses ?? []
  }

  get ports(): Readonly<Record<string, number>> | undefined {
    return this.#found?.ports
  }

  get reply(): ReplyWhen {
    return this.#found?.reply ?? 'ready'
  }

  get state(): ServiceState {
    return this.#found?.state ?? 'stopped'
  }

  get instance(): Instance | undefined {
    return this.#found?.instance
  }

  touch(): void {
    this.#found?.touch()
  }

  /** @throws ConduitError BOOT_FAILED also where there is no such service */
  async summon(by: SummonedBy, options?: SummonOptions): Promise<void> {
    const found = this.#found
    if (found !== undefined) return found.summon(by, options)
    throw new ConduitError('BOOT_FAILED', `there is no service ${this.name} any more`, {
      endpoint: this.name,
      hint: 'the configuration of jitsud has changed: jitsud status shows the services that it has',
    })
  }

  takeChannel(): string | undefined {
    return this.#found?.takeChannel?.()
  }

  use(): Use {
    return this.#found?.use() ?? NO_USE
  }

  sawFirstByte(): void {
    this.#found?.sawFirstByte()
  }

  get #found(): Service | undefined {
    return this.#services.byName(this.name)
  }
}
