// What a resolver is told, what it lives on, and what it answers with.
import type { Endpoint } from '../../protocol/endpoint.js'
import type { AddressFamily, QueryDns, SystemLookup } from './host-addresses.js'
import type { ResolutionStep } from './resolution-steps.js'
import type { ResolverRule } from './rule.js'

/** What a resolver knows beside DNS. */
export interface ResolverOptions {
  /**
   * DNS servers, `ADDR`, `ADDR:PORT` or `[V6]:PORT`; those of the variable CONDUIT_DNS by default, with commas between, else the
   * system's.
   */
  readonly servers?: readonly string[] | undefined
  /**
   * Where hosts lead, by suffix: the longest wins. `example.org` is that host and all below it, `.example.org` what is below, `''`
   * everything. Beside these stand `.xen` (conduit names), `localhost` (this machine) and `''` (DNS).
   */
  readonly rules?: Readonly<Record<string, ResolverRule>> | undefined
}

/** What a resolver lives on. */
export interface ResolverParts extends ResolverOptions {
  /**
   * Which physical host this is: the contents of `/conduit/host-id`, or undefined where there is no store. DNS's word on a conduit counts
   * only if it names this host.
   */
  readonly hostId?: ((signal: AbortSignal) => Promise<string | undefined>) | undefined
  readonly queryDns?: QueryDns | undefined
  readonly systemLookup?: SystemLookup | undefined
  /** As of node:timers/promises. */
  readonly delay?: ((ms: number, value: undefined, options: { signal: AbortSignal }) => Promise<unknown>) | undefined
  /** Milliseconds that never go back, for the times of the steps. */
  readonly now?: (() => number) | undefined
}

/** How one name is resolved. */
export interface ResolveOptions {
  /** Rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Hears of each step as it is done, also when the resolution fails in the end. */
  readonly onStep?: ((step: ResolutionStep) => void) | undefined
}

/** Where a name leads, and how that was found out. Plain JSON. */
export interface Resolution {
  /** The text that was resolved. */
  readonly query: string
  /** Where it leads: never `unknown`, which is an error instead. */
  readonly endpoint: Endpoint
  /** The IP addresses to try in turn, where the endpoint ends in TCP: the endpoint has the first. Empty elsewhere. */
  readonly addresses: readonly string[]
  /** What was done, in the order it was begun. */
  readonly steps: readonly ResolutionStep[]
}

/** Which addresses are asked for. */
export interface AddressesOptions {
  /** 4 or 6; both by default. */
  readonly family?: AddressFamily | undefined
  /** Rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}
