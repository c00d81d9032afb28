// Which process a domain is of, as the kernel says it.
import type { Reservation } from '../../../protocol/conduit-reservation.js'
import { processStat } from '../../process-stat.js'

/** Whether process `pid` is the one, or of the session, that a name is kept for. A domain is somebody else's question. */
export function isProcessOf(pid: number, reservation: Reservation): boolean {
  if (reservation.kind === 'process') return reservation.pid === pid
  return reservation.kind === 'session' && processStat(pid)?.session === reservation.sid
}
