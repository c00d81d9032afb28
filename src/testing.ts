// conduit-vchan/testing: machines and hypervisors in one process, for tests. Re-exports, nothing else.
export { MemoryMachine, type MemoryMachineOptions } from './memory-machine.js'
export { type FaultPoint, MemoryHypervisor, type MemoryHypervisorOptions } from './substrate/memory.js'
export type * from './substrate/substrate.js'
