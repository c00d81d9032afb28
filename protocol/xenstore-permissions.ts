// Permission lists of xenstore nodes as text and as values. Who may do what is the store's business, not decided here.
import { type Domid, isDomid } from './xen.js'

/** `n` none, `r` read, `w` write, `b` both. */
export type XenstoreAccess = 'n' | 'r' | 'w' | 'b'

/**
 * One entry of a permission list. Entry 0 names the owner, who always has full access, and gives what everybody
 * not listed may do; each other entry gives what one domain may do.
 */
export interface Permission {
  /** In the first entry what every domain that is not listed may do; in the others what `domid` may do. */
  readonly access: XenstoreAccess
  /** In the first entry the owner; in the others whom the entry is for. */
  readonly domid: Domid
}

const ENTRY = /^([nrwb])(0|[1-9][0-9]{0,4})$/

/** `{ access: 'r', domid: 7 }` as `r7`. */
export const formatPermission = (permission: Permission): string => `${permission.access}${permission.domid}`

/** `r7` as a value; `undefined` for anything else, reserved domids included. */
export function parsePermission(text: string): Permission | undefined {
  const match = ENTRY.exec(text)
  if (match === null) return undefined
  const domid = Number(match[2])
  return isDomid(domid) ? { access: match[1] as XenstoreAccess, domid } : undefined
}
