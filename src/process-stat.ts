// What the kernel says of a process now. Reads, and believes nothing for longer: a pid is another process's soon.
import { readFileSync } from 'node:fs'
import { type ProcStat, parseProcStat } from '../protocol/proc-stat.js'

/** Of a thread too, by its id. Undefined when there is no such process, or no /proc. */
export function processStat(pid: number | 'self' | 'thread-self'): ProcStat | undefined {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}
