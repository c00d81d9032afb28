// The numbers of jitsud in Prometheus' form. Counters stay where they are counted and are read when somebody asks; only the
// times of boots are kept here. prom-client is an optional dependency, loaded here alone.
import type { Counter, Histogram, Registry } from 'prom-client'
import { ConduitError } from '../../errors.js'
import type { Service, ServiceState } from '../summon.js'
import type { Timeline } from '../timeline.js'
import { CounterFamily, type LabelledCounters } from './counter-family.js'
import { processMetrics } from './process-metrics.js'
import type { Counters } from './status.js'

type Prometheus = typeof import('prom-client')

/** Where the numbers are. */
export interface MetricsSource {
  services(): Iterable<Service>
  /** Of the DNS server; nothing where there is none. */
  dns(): Counters
  held(): Iterable<{ readonly service: string; readonly address: string; readonly counters: Counters }>
}

/** Seconds: from a process on this machine to a guest that boots a whole system. */
const BOOT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const STATES: readonly ServiceState[] = ['stopped', 'starting', 'ready', 'stopping']
/** Counters that go up and down: how many there are now. */
const NOW: ReadonlySet<string> = new Set(['waiting', 'keptBytes', 'relayed', 'ready', 'wanted', 'memoryBytes'])
const MILLIS_PER_SECOND = 1000
const HINT = 'npm install prom-client, beside conduit-vchan, or leave admin out of the configuration'

/** jitsud's metrics. */
export class Metrics {
  readonly #registry: Registry
  readonly #summons: Counter
  readonly #boots: Histogram
  readonly #refresh: () => void
  /** The number of each service's last summon. */
  readonly #observed = new Map<string, number>()

  /**
   * @param load for tests
   * @throws ConduitError SYSTEM when prom-client is not installed
   */
  static async open(source: MetricsSource, load: () => Promise<Prometheus> = loadPrometheus): Promise<Metrics> {
    const prometheus = await load().catch((cause: unknown) => {
      const why = (cause as Error).message
      throw new ConduitError('SYSTEM', `the admin address needs prom-client, which does not load: ${why}`, {
        hint: HINT,
        cause,
      })
    })
    return new Metrics(prometheus, source)
  }

  private constructor(prometheus: Prometheus, source: MetricsSource) {
    const registry = new prometheus.Registry()
    const registers = [registry]
    this.#registry = registry
    this.#summons = new prometheus.Counter({
      name: 'jitsud_summons_total',
      help: 'Boots that somebody asked for, by how they ended',
      labelNames: ['service', 'outcome'],
      registers,
    })
    this.#boots = new prometheus.Histogram({
      name: 'jitsud_boot_seconds',
      help: 'From the query to readiness',
      labelNames: ['service'],
      buckets: BOOT_BUCKETS,
      registers,
    })
    processMetrics(prometheus, registry)
    serviceGauges(prometheus, registry, source)
    const dns = new CounterFamily(prometheus, registry, { prefix: 'jitsud_dns', labels: [], gauges: NOW })
    const held = new CounterFamily(prometheus, registry, {
      prefix: 'jitsud_hold',
      labels: ['service', 'address'],
      gauges: NOW,
    })
    const pools = new CounterFamily(prometheus, registry, { prefix: 'jitsud_pool', labels: ['service'], gauges: NOW })
    this.#refresh = () => {
      pools.set([...source.services()].flatMap(poolNumbers))
      dns.set([{ labels: {}, counters: source.dns() }])
      held.set([...source.held()].map(({ service, address, counters }) => ({ labels: { service, address }, counters })))
    }
  }

  /** A summon that is over; told again when its first byte comes, it counts once. */
  observe({ service, number, outcome, steps }: Timeline): void {
    if (outcome === undefined || number <= (this.#observed.get(service) ?? 0)) return
    this.#observed.set(service, number)
    this.#summons.inc({ service, outcome })
    if (outcome === 'ready' && steps.ready !== undefined) {
      this.#boots.observe({ service }, steps.ready / MILLIS_PER_SECOND)
    }
  }

  /** A service that the configuration has no more. */
  forget(service: string): void {
    this.#observed.delete(service)
    for (const outcome of ['ready', 'failed', 'abandoned']) this.#summons.remove({ service, outcome })
    this.#boots.remove({ service })
  }

  /** Prometheus' text format. */
  async text(): Promise<{ readonly type: string; readonly text: string }> {
    this.#refresh()
    return { type: this.#registry.contentType, text: await this.#registry.metrics() }
  }
}

function poolNumbers({ name, pool }: Service): LabelledCounters[] {
  if (pool === undefined) return []
  const { ready, wanted, memoryBytes, counters } = pool
  return [{ labels: { service: name }, counters: { ready, wanted, memoryBytes, ...counters } }]
}

const loadPrometheus = async (): Promise<Prometheus> => {
  const module = await import('prom-client')
  return module.default
}

function serviceGauges({ Gauge }: Prometheus, registry: Registry, { services }: MetricsSource): void {
  const registers = [registry]
  new Gauge({
    name: 'jitsud_services',
    help: 'Services by state',
    labelNames: ['state'],
    registers,
    collect() {
      const all = [...services()]
      for (const state of STATES) this.set({ state }, all.filter((service) => service.state === state).length)
    },
  })
  new Gauge({
    name: 'jitsud_service_state',
    help: '1 at the state in which the service is',
    labelNames: ['service', 'state'],
    registers,
    collect() {
      this.reset()
      for (const { name, state } of services()) this.set({ service: name, state }, 1)
    },
  })
}
