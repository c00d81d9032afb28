// A directory whose services boot when a test says so. Boots are shared as the contract demands, and counted.
import type { Instance, ReplyWhen, Service, ServiceState, Services, SummonedBy } from '../../src/jitsu/summon.js'

export interface FakeServiceSpec {
  readonly name: string
  readonly dns?: readonly string[]
  readonly addresses?: readonly string[]
  readonly ports?: Readonly<Record<string, number>>
  readonly state?: ServiceState
}

export class FakeService implements Service {
  readonly name: string
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
  readonly ports: Readonly<Record<string, number>> | undefined
  readonly reply: ReplyWhen = 'ready'
  readonly instance: Instance | undefined = undefined
  state: ServiceState
  touched = 0
  /** Who asked, one entry a call. */
  readonly askers: SummonedBy[] = []
  boots = 0
  #boot: { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } | undefined

  constructor({
    name,
    dns = [`${name}.example.org`],
    addresses = ['192.0.2.1'],
    ports,
    state = 'stopped',
  }: FakeServiceSpec) {
    this.name = name
    this.dns = dns
    this.addresses = addresses
    this.ports = ports
    this.state = state
  }

  touch(): void {
    this.touched++
  }

  summon(by: SummonedBy): Promise<void> {
    this.askers.push(by)
    if (this.state === 'ready') return Promise.resolve()
    if (this.#boot === undefined) {
      this.boots++
      this.state = 'starting'
      let settle: { resolve: () => void; reject: (error: unknown) => void } | undefined
      const promise = new Promise<void>((resolve, reject) => {
        settle = { resolve, reject }
      })
      this.#boot = { promise, ...settle! }
    }
    return this.#boot.promise
  }

  becomeReady(): void {
    this.state = 'ready'
    this.#boot?.resolve()
    this.#boot = undefined
  }

  fail(error: unknown): void {
    this.state = 'stopped'
    this.#boot?.reject(error)
    this.#boot = undefined
  }

  use(): { moved(): void; release(): void } {
    return { moved: () => undefined, release: () => undefined }
  }

  sawFirstByte(): void {}
}

export class FakeServices implements Services {
  #services: readonly FakeService[]
  readonly #listeners = new Set<() => void>()

  constructor(...specs: FakeServiceSpec[]) {
    this.#services = specs.map((spec) => new FakeService(spec))
  }

  get size(): number {
    return this.#services.length
  }

  /** Those who want to know of changes. */
  get listeners(): number {
    return this.#listeners.size
  }

  /** @throws when there is none */
  get(name: string): FakeService {
    const service = this.byName(name)
    if (service === undefined) throw new Error(`no service ${name}`)
    return service
  }

  byName(name: string): FakeService | undefined {
    return this.#services.find((service) => service.name === name)
  }

  byDns(name: string): FakeService | undefined {
    return this.#services.find((service) => service.dns.includes(name))
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  replace(...specs: FakeServiceSpec[]): void {
    this.#services = specs.map((spec) => new FakeService(spec))
    for (const listener of this.#listeners) listener()
  }

  [Symbol.iterator](): Iterator<FakeService> {
    return this.#services[Symbol.iterator]()
  }
}
