// conduit-vchan/testing: an in-process hypervisor for tests. Re-exports, nothing else.
export { type FaultPoint, MemoryHypervisor, type MemoryHypervisorOptions } from './substrate/memory.js'
export type * from './substrate/substrate.js'
