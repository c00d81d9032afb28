// What a reader needs to judge the numbers: the machine and the software, never whose machine it is.
import { availableParallelism, cpus, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly architecture: string
  readonly node: string
  readonly v8: string
  readonly date: string
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    architecture: process.arch,
    node: process.version,
    v8: process.versions.v8,
    date: new Date().toISOString(),
  }
}
