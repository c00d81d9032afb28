// What the parts of jitsud ask of its directory: services by name, their state, a summon. Types only; directory.ts has the
// state machine, and nobody else starts or stops anything.
import type { Domid } from '../../protocol/xen.js'

/** Where a service is: the whole state machine. A failed boot is `stopped` again, with a pause before the next. */
export type ServiceState = 'stopped' | 'starting' | 'ready' | 'stopping'

/** Who asked. */
export type SummonedBy = 'dns' | 'conduit' | 'hold' | 'admin'

/** When an asker is answered: at readiness, once the launcher has launched, or at once while it boots. */
export type ReplyWhen = 'ready' | 'started' | 'immediate'

/** A running instance as its launcher knows it. */
export interface Instance {
  /** The domain, where there is one: a guest's, or a local process's once it has attached. */
  readonly domid: Domid | undefined
  /** The process, for launchers that start one here. */
  readonly pid: number | undefined
  /**
   * The port of a vchan to domain 0 whose keys are there before the instance runs: `vchan://DOMID/PORT` is its first connection,
   * for one client.
   */
  readonly provisionedPort?: string | undefined
}

/** Somebody uses the service: it is not idle until this is released, or while bytes are counted. */
export interface Use {
  /** Bytes moved, either way, since the last call. */
  moved(bytes: number): void
  /** Idempotent. */
  release(): void
}

/** What a service has built beforehand. Plain JSON. */
export interface PoolState {
  /** As configured. */
  readonly wanted: number
  /** Instances that are built and wait. */
  readonly ready: number
  /** Of the machine, for all of them. */
  readonly memoryBytes: number
  /** Why there are fewer than wanted, where that is not only a matter of a moment. */
  readonly problem: string | undefined
  /** Since jitsud began. */
  readonly counters: PoolCounters
}

/** What became of the instances of a pool. */
export interface PoolCounters {
  /** Built. */
  readonly prepared: number
  /** Handed to a summon. */
  readonly taken: number
  /** Summons that found none. */
  readonly empty: number
  /** Could not be built, or not be launched. */
  readonly failed: number
  /** Ended while they waited. */
  readonly died: number
}

/** How somebody waits for a service. */
export interface SummonOptions {
  /** `reply` of the service by default. */
  readonly until?: ReplyWhen
  readonly signal?: AbortSignal
  /** Runs when the launcher has launched it; not where it runs already. */
  onStarted?(): void
}

/** One service of the directory, as DNS, the conduit node and the held addresses see it. */
export interface Service {
  /** Its conduit name. */
  readonly name: string
  /** Its DNS names, lower case, without the last dot. */
  readonly dns: readonly string[]
  /** Its own IP addresses, in the configured order; v4 and v6. */
  readonly addresses: readonly string[]
  /** TCP ports by IANA's service names, such as `{ http: 8080 }`: what DNS answers to SRV. */
  readonly ports?: Readonly<Record<string, number>> | undefined
  readonly reply: ReplyWhen
  readonly state: ServiceState
  readonly instance: Instance | undefined
  /** Undefined where none is kept warm. */
  readonly pool?: PoolState | undefined
  /** Counts as use and is cheap: for askers that need no waiting, such as a cached answer. */
  touch(): void
  /**
   * Have it run, one boot for all who ask meanwhile, and wait as `until` says, `reply` by default. An abort ends the waiting, never
   * the boot.
   * @throws ConduitError BOOT_TIMEOUT, BOOT_FAILED (also while the pause after a failure lasts); the signal's reason
   */
  summon(by: SummonedBy, options?: SummonOptions): Promise<void>
  /**
   * The provisioned channel of the instance that was launched: its address the first time, and undefined for everybody else, who go
   * by name.
   */
  takeChannel?(): string | undefined
  /** An open connection. */
  use(): Use
  /** The first byte that the summoned service sent to somebody, for the timeline. Cheap when it is known already. */
  sawFirstByte(): void
}

/** Looks services up. */
export interface Services extends Iterable<Service> {
  readonly size: number
  /** By conduit name. */
  byName(name: string): Service | undefined
  /** By DNS name: lower case, without the last dot. */
  byDns(name: string): Service | undefined
  /** Runs after services were added, changed or removed. Returns how to stop it. */
  onChange(listener: () => void): () => void
}
