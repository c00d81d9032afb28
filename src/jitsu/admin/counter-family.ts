// Prometheus metrics of counters that somebody else keeps: made as their names appear, filled when somebody asks.
import type { Counter, Gauge, Registry } from 'prom-client'
import type { Counters } from './status.js'

type Prometheus = typeof import('prom-client')

/** How the counters of one part are called. */
export interface CounterFamilyOptions {
  /** Such as `jitsud_dns`: `queries` becomes `jitsud_dns_queries_total`. */
  readonly prefix: string
  readonly labels: readonly string[]
  /** Names of what goes up and down. */
  readonly gauges: ReadonlySet<string>
}

/** One set of counters and whose it is. */
export interface LabelledCounters {
  readonly labels: Readonly<Record<string, string>>
  readonly counters: Counters
}

export class CounterFamily {
  readonly #prometheus: Prometheus
  readonly #registry: Registry
  readonly #options: CounterFamilyOptions
  readonly #metrics = new Map<string, Counter | Gauge>()

  constructor(prometheus: Prometheus, registry: Registry, options: CounterFamilyOptions) {
    this.#prometheus = prometheus
    this.#registry = registry
    this.#options = options
  }

  /** What there is now: whoever is not among them has no lines any more. */
  set(all: readonly LabelledCounters[]): void {
    for (const metric of this.#metrics.values()) metric.reset()
    for (const { labels, counters } of all) {
      for (const [name, value] of Object.entries(counters)) {
        if (typeof value === 'number') this.#metric(name, []).inc({ ...labels }, value)
        else
          for (const [code, count] of Object.entries(value))
            this.#metric(name, ['code']).inc({ ...labels, code }, count)
      }
    }
  }

  #metric(name: string, more: readonly string[]): Counter | Gauge {
    const known = this.#metrics.get(name)
    if (known !== undefined) return known
    const { prefix, labels, gauges } = this.#options
    const words = name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
    const isGauge = gauges.has(name)
    const common = {
      name: `${prefix}_${words}${isGauge ? '' : '_total'}`,
      help: words.replaceAll('_', ' '),
      labelNames: [...labels, ...more],
      registers: [this.#registry],
    }
    const made = isGauge ? new this.#prometheus.Gauge(common) : new this.#prometheus.Counter(common)
    this.#metrics.set(name, made)
    return made
  }
}
