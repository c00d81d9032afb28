// Names that are kept in the store: dom0 writes them, and a registrar asks them at each registration.
import {
  formatReservation,
  parseReservation,
  RESERVATIONS_ROOT,
  type Reservation,
  reservationPath,
  reservedAmong,
} from '../../protocol/conduit.js'
import type { Domid } from '../../protocol/xen.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'

/** Whether a domain is the process, or of the session, that a name is kept for. */
export type IsProcessOf = (domid: Domid, reservation: Reservation) => boolean

/** Whether a domain may have the name: undefined where nothing is said about it. */
export async function mayRegister(
  store: XenstoreClient,
  who: { readonly domid: Domid; readonly name: string },
  isProcessOf: IsProcessOf,
): Promise<boolean | undefined> {
  const text = await store.readText(reservationPath(who.name)).catch(undefinedWhenMissing)
  if (text === undefined) return undefined
  const reservation = parseReservation(text)
  return reservation.kind === 'domain' ? reservation.domid === who.domid : isProcessOf(who.domid, reservation)
}

/** From now on the registrar gives the name to nobody else. Who holds it already keeps it. @throws ConduitError EACCES unless in dom0 */
export function reserveName(store: XenstoreClient, name: string, reservation: Reservation): Promise<void> {
  return store.write(reservationPath(name), formatReservation(reservation))
}

/** The name is anybody's again. Idempotent. */
export async function unreserveName(store: XenstoreClient, name: string): Promise<void> {
  await store.remove(reservationPath(name)).catch(undefinedWhenMissing)
}

/** The names that are kept. */
export async function reservedNames(store: XenstoreClient): Promise<string[]> {
  return reservedAmong((await store.directory(RESERVATIONS_ROOT).catch(undefinedWhenMissing)) ?? [])
}

function undefinedWhenMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}
