// What every service of one directory works with. Made by Directory, handed down.
import type { Domid } from '../../protocol/xen.js'
import type { XenstoreClient } from '../xenstore/client.js'
import type { Logger } from './logger.js'
import type { MonotonicClock } from './monotonic-clock.js'
import type { WarmPools } from './pool/warm-pools.js'
import type { ProcessDomains } from './process-domains.js'
import type { Timeline } from './timeline.js'

export interface DirectoryContext {
  /** With dom0's rights. */
  readonly store: XenstoreClient
  readonly clock: MonotonicClock
  /** Milliseconds since 1970, for people. */
  readonly wallClock: () => number
  readonly log: Logger
  readonly processes: ProcessDomains
  readonly pools: WarmPools
  /** The domain that programs on this machine are in, where the store is Xen's; undefined on the local hypervisor. */
  readonly processDomid: Domid | undefined
  readonly onTimeline: (timeline: Timeline) => void
  /** Where a service is has changed. */
  readonly onState: (service: string) => void
  /** What runs, or is remembered of a service, has changed. */
  readonly onRecord: () => void
}
