// What jitsud composes its held addresses of: re-exports, nothing else.

export type { ConnectToService } from './choose-handover.js'
export { HeldAddress, type HeldAddressOptions } from './held-address.js'
export type { HoldCounters } from './hold-counters.js'
export type { HoldLogger } from './hold-log.js'
export { handoverEnvironment, Takers, type TakersOptions } from './takers.js'
