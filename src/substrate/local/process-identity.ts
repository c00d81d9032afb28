// Which process a domain is of, as the kernel says it.
import { readFileSync } from 'node:fs'
import type { Reservation } from '../../../protocol/conduit-reservation.js'
import { parseProcStat } from '../../../protocol/proc-stat.js'

/** Whether process `pid` is the one, or of the session, that a name is kept for. A domain is somebody else's question. */
export function isProcessOf(pid: number, reservation: Reservation): boolean {
  if (reservation.kind === 'process') return reservation.pid === pid
  return reservation.kind === 'session' && sessionOf(pid) === reservation.sid
}

/** Undefined when there is no such process. */
export function sessionOf(pid: number): number | undefined {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.session
  } catch {
    return undefined
  }
}
