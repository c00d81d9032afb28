// What jitsud shows of itself: one value, for /status, `jitsud status` and whoever watches. Plain JSON.
import type { PoolState, Service, ServiceState } from '../summon.js'
import type { Timeline } from '../timeline.js'

/** One service as it is now. */
export interface ServiceStatus {
  /** Its conduit name. */
  readonly name: string
  /** Where it is in its life. */
  readonly state: ServiceState
  /** Its DNS names. */
  readonly dns: readonly string[]
  /** Its IP addresses. */
  readonly addresses: readonly string[]
  /** The domain it runs as; null where that is unknown or nothing runs. */
  readonly domid: number | null
  /** The process it runs as, if it is one of this machine's. */
  readonly pid: number | null
  /** The last summon, as its timeline has it; null before the first. */
  readonly lastSummon: LastSummon | null
  /** What is built beforehand; null where nothing is. */
  readonly pool: PoolStatus | null
  /** Addresses that are held for it. */
  readonly held: readonly HeldStatus[]
}

/** The instances of a service that are kept warm. */
export interface PoolStatus {
  /** As `keepWarm` says. */
  readonly wanted: number
  /** Built, and waiting. */
  readonly ready: number
  /** Of the machine, for all of them. */
  readonly memoryBytes: number
  /** Why there are fewer than wanted, such as a bound of memory or a failure; null where that is only a matter of a moment. */
  readonly problem: string | null
  /** What became of them: `prepared`, `taken` by a summon, `empty` when one came, `failed`, `died`. */
  readonly counters: Counters
}

/** How the last summon went. */
export interface LastSummon {
  /** Counts up within the service. */
  readonly number: number
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  /** What became of it. */
  readonly outcome: NonNullable<Timeline['outcome']> | 'under way'
  /** Milliseconds from the query to readiness. */
  readonly readyMs: number | null
  /** Why, where it failed. */
  readonly error: string | null
}

/** An address that jitsud holds for a service. */
export interface HeldStatus {
  /** With the port that the kernel chose for 0. */
  readonly address: string
  /** Of its clients. */
  readonly counters: Counters
}

/** Numbers that only grow, and how many there are now, by name; by code where there are several, as of DNS answers. */
export type Counters = Readonly<Record<string, number | Readonly<Record<string, number>>>>

/** jitsud and all of its services. */
export interface JitsudStatus {
  /** Of the program. */
  readonly version: string
  /** jitsud's own process. */
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  /** `xen` or `local`. */
  readonly backend: string
  /** The file, where one was read. */
  readonly config: string | null
  /** Configurations taken over since the start, and why the last one was not. */
  readonly reloads: number
  /** Null where the last reload went well. */
  readonly reloadError: string | null
  /** Null where no DNS server was asked for. */
  readonly dns: {
    /** With the port that the kernel chose for 0. */
    readonly address: string
    /** Of its queries and answers. */
    readonly counters: Counters
  } | null
  /** In the order of the configuration. */
  readonly services: readonly ServiceStatus[]
}

/** Whether jitsud can do its work, and what keeps it from it. */
export interface Health {
  /** Whether there are no problems. */
  readonly healthy: boolean
  /** A sentence each. */
  readonly problems: readonly string[]
}

/** @param last the service's latest timeline */
export function serviceStatus(
  service: Service,
  last: Timeline | undefined,
  held: readonly HeldStatus[],
): ServiceStatus {
  const { name, state, dns, addresses, instance, pool } = service
  return {
    name,
    state,
    dns,
    addresses,
    domid: instance?.domid ?? null,
    pid: instance?.pid ?? null,
    lastSummon: last === undefined ? null : lastSummon(last),
    pool: pool === undefined ? null : poolStatus(pool),
    held,
  }
}

const poolStatus = ({ counters, problem, ...rest }: PoolState): PoolStatus => ({
  ...rest,
  problem: problem ?? null,
  counters: { ...counters },
})

const lastSummon = ({ number, startedAtMs, outcome, steps, error }: Timeline): LastSummon => ({
  number,
  startedAtMs,
  outcome: outcome ?? 'under way',
  readyMs: steps.ready ?? null,
  error: error ?? null,
})
