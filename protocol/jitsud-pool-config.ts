// Instances that are kept warm, as the configuration bounds them.
import { exactly } from './config-faults.js'
import { memory } from './config-values.js'

/** For all of them together, unless the configuration says otherwise. */
export const POOL_MEMORY_MIB = 256

/** The shape of `pool`. */
export const poolSchema = exactly({
  /** Of the machine, for all instances that are kept warm: with its unit; a bare number is MiB. */
  maxMemory: memory.default(POOL_MEMORY_MIB),
}).transform(({ maxMemory }) => ({
  /** For all instances that are kept warm, in MiB. */
  maxMemoryMib: maxMemory,
}))
