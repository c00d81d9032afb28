// What is to be seen of a jitsud: its status, its health, its timelines, its metrics. Looks at the parts, changes none.
import type { AdminSource } from './admin/admin-pages.js'
import { Metrics } from './admin/metrics.js'
import { type Counters, type Health, type HeldStatus, type JitsudStatus, serviceStatus } from './admin/status.js'
import type { Directory } from './directory.js'
import type { DomainZero } from './domain-zero.js'
import type { JitsudListeners } from './jitsud-listeners.js'
import type { Timeline } from './timeline.js'

/** What a JitsudView looks at. */
export interface JitsudParts {
  readonly zero: DomainZero
  readonly directory: Directory
  readonly listeners: JitsudListeners
  readonly configFile: string | undefined
  readonly version: string
}

export class JitsudView implements AdminSource {
  readonly #parts: JitsudParts
  readonly #startedAtMs = Date.now()
  #metrics: Promise<Metrics> | undefined
  #reloads = 0
  #reloadError: string | undefined

  constructor(parts: JitsudParts) {
    this.#parts = parts
  }

  /** A configuration was taken over, or was not. */
  reloaded(error?: Error): void {
    if (error === undefined) this.#reloads++
    this.#reloadError = error?.message
  }

  /** @throws ConduitError SYSTEM when prom-client is not installed */
  async openMetrics(): Promise<void> {
    this.#metrics ??= Metrics.open({
      services: () => this.#parts.directory,
      dns: () => this.#dnsCounters(),
      held: () => this.#allHeld(),
    })
    const metrics = await this.#metrics
    for (const timeline of this.#parts.directory.timelines()) metrics.observe(timeline)
  }

  /** A summon has ended. */
  observe(timeline: Timeline): void {
    void this.#metrics?.then((metrics) => metrics.observe(timeline))
  }

  health(): Health {
    const { zero } = this.#parts
    const problems = zero.problem === undefined ? [] : [zero.problem]
    return { healthy: problems.length === 0, problems }
  }

  status(): JitsudStatus {
    const { zero, directory, listeners, configFile, version } = this.#parts
    const { dns } = listeners
    const held = this.#allHeld()
    return {
      version,
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      backend: zero.backend,
      config: configFile ?? null,
      reloads: this.#reloads,
      reloadError: this.#reloadError ?? null,
      dns: dns === undefined ? null : { address: dns.address, counters: this.#dnsCounters() },
      services: [...directory].map((service) =>
        serviceStatus(
          service,
          directory.timelines(service.name).at(-1),
          held.filter((one) => one.service === service.name).map(({ address, counters }) => ({ address, counters })),
        ),
      ),
    }
  }

  timelines(service?: string): readonly Timeline[] | undefined {
    const { directory } = this.#parts
    if (service !== undefined && directory.byName(service) === undefined) return undefined
    return directory.timelines(service)
  }

  async metrics(): Promise<{ readonly type: string; readonly text: string }> {
    return (await this.#metrics!).text()
  }

  #dnsCounters(): Counters {
    return { ...this.#parts.listeners.dns?.counters }
  }

  #allHeld(): (HeldStatus & { readonly service: string })[] {
    return this.#parts.listeners.held.map(({ config, address }) => ({
      service: config.service,
      address: address.address,
      counters: { ...address.counters },
    }))
  }
}
