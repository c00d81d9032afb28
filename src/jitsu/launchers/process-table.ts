// Processes as /proc shows them. A pid alone names nothing for long: with the start time and this boot of the machine it does.
import { readdirSync, readFileSync } from 'node:fs'
import type { ProcStat } from '../../../protocol/proc-stat.js'
import { processStat } from '../../process-stat.js'

/** One process, for as long as there are records of it. Plain JSON. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTicks: number
  readonly bootId: string
}

/** The process that has this pid now. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = processStat(pid)
  return stat && { pid, startTicks: stat.startTicks, bootId: bootId() }
}

/** What a state file says of one; undefined for anything else. */
export function parseIdentity(token: unknown): ProcessIdentity | undefined {
  if (typeof token !== 'object' || token === null) return undefined
  const { pid, startTicks, bootId: boot } = token as Partial<Record<keyof ProcessIdentity, unknown>>
  if (!Number.isSafeInteger(pid) || (pid as number) <= 1 || !Number.isSafeInteger(startTicks)) return undefined
  return typeof boot === 'string' ? { pid: pid as number, startTicks: startTicks as number, bootId: boot } : undefined
}

/** Whether it still runs, as the leader of its own session. */
export function isAlive({ pid, startTicks, bootId: boot }: ProcessIdentity): boolean {
  const stat = processStat(pid)
  if (stat === undefined || stat.startTicks !== startTicks || boot !== bootId()) return false
  return stat.session === pid && !isDead(stat)
}

/** Of its memory, what is in the machine's (proc_pid_status(5), VmRSS); 0 when it is gone. */
export function residentBytes(pid: number): number {
  try {
    const kib = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(kib ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Those who live in a session. The kernel gives its number to nobody else while there are any. */
export function sessionMembers(sid: number): number[] {
  const pids = readdirSync('/proc').flatMap((name) => (/^[0-9]+$/.test(name) ? Number(name) : []))
  return pids.filter((pid) => {
    const stat = processStat(pid)
    return stat?.session === sid && !isDead(stat)
  })
}

/** Waited for by nobody yet: it runs nothing and holds nothing. */
const isDead = ({ state }: ProcStat): boolean => state === 'Z' || state === 'X'

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
