// Names that are kept: one node each below the host id, which only dom0 can write. Every registrar of the store asks them
// when a name is registered, so that whoever starts a server decides who may hold its name before the server asks for it.
import { parseName } from './conduit-name.js'
import { HOST_ID_PATH, parseDomid } from './conduit-paths.js'
import type { Domid } from './xen.js'

export const RESERVATIONS_ROOT = `${HOST_ID_PATH}/reserved`
export const reservationPath = (name: string): string => `${RESERVATIONS_ROOT}/${name}`

/** Who may register a name. Processes and sessions are those of the machine whose local hypervisor has the store. */
export type Reservation =
  | { readonly kind: 'domain'; readonly domid: Domid }
  | { readonly kind: 'process'; readonly pid: number }
  /** Whoever belongs to it: children do, and nobody can join one from outside (setsid(2)). */
  | { readonly kind: 'session'; readonly sid: number }
  | { readonly kind: 'nobody' }

export function formatReservation(reservation: Reservation): string {
  switch (reservation.kind) {
    case 'domain':
      return `domain ${reservation.domid}`
    case 'process':
      return `process ${reservation.pid}`
    case 'session':
      return `session ${reservation.sid}`
    case 'nobody':
      return 'nobody'
  }
}

/** The reservation that `text` spells. What cannot be read keeps the name for nobody: it was meant to keep somebody out. */
export function parseReservation(text: string): Reservation {
  const [, kind, digits = ''] = /^(domain|process|session) ([0-9]{1,10})$/.exec(text) ?? []
  const id = Number(digits)
  if (kind === 'process' && id > 0) return { kind, pid: id }
  if (kind === 'session' && id > 0) return { kind, sid: id }
  const domid = kind === 'domain' ? parseDomid(digits) : undefined
  return domid === undefined ? { kind: 'nobody' } : { kind: 'domain', domid }
}

/** Children of {@link RESERVATIONS_ROOT} that are names. */
export const reservedAmong = (children: readonly string[]): string[] =>
  children.filter((child) => parseName(child) === child)
