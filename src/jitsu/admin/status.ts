// What jitsud shows of itself: one value, for /status, `jitsud status` and whoever watches. Plain JSON.
import type { Service, ServiceState } from '../summon.js'
import type { Timeline } from '../timeline.js'

/** One service as it is now. */
export interface ServiceStatus {
  readonly name: string
  readonly state: ServiceState
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
  readonly domid: number | null
  readonly pid: number | null
  /** The last summon, as its timeline has it; null before the first. */
  readonly lastSummon: LastSummon | null
  readonly held: readonly HeldStatus[]
}

/** How the last summon went. */
export interface LastSummon {
  readonly number: number
  readonly startedAtMs: number
  readonly outcome: NonNullable<Timeline['outcome']> | 'under way'
  /** Milliseconds from the query to readiness. */
  readonly readyMs: number | null
  readonly error: string | null
}

/** An address that jitsud holds for a service. */
export interface HeldStatus {
  readonly address: string
  readonly counters: Counters
}

/** Numbers that only grow, and how many there are now, by name; by code where there are several, as of DNS answers. */
export type Counters = Readonly<Record<string, number | Readonly<Record<string, number>>>>

/** jitsud and all of its services. */
export interface JitsudStatus {
  readonly version: string
  readonly pid: number
  readonly startedAtMs: number
  readonly backend: string
  /** The file, where one was read. */
  readonly config: string | null
  /** Configurations taken over since the start, and why the last one was not. */
  readonly reloads: number
  readonly reloadError: string | null
  /** Null where no DNS server was asked for. */
  readonly dns: { readonly address: string; readonly counters: Counters } | null
  readonly services: readonly ServiceStatus[]
}

/** Whether jitsud can do its work, and what keeps it from it. */
export interface Health {
  readonly healthy: boolean
  readonly problems: readonly string[]
}

/** @param last the service's latest timeline */
export function serviceStatus(
  service: Service,
  last: Timeline | undefined,
  held: readonly HeldStatus[],
): ServiceStatus {
  const { name, state, dns, addresses, instance } = service
  return {
    name,
    state,
    dns,
    addresses,
    domid: instance?.domid ?? null,
    pid: instance?.pid ?? null,
    lastSummon: last === undefined ? null : lastSummon(last),
    held,
  }
}

const lastSummon = ({ number, startedAtMs, outcome, steps, error }: Timeline): LastSummon => ({
  number,
  startedAtMs,
  outcome: outcome ?? 'under way',
  readyMs: steps.ready ?? null,
  error: error ?? null,
})
