// Who may do what to a node, by C xenstored's rules (core.c: perm_for_conn, get_node, errno_from_parents).

import type { Domid } from '../../../protocol/xen.js'
import { parentPath } from '../../../protocol/xenstore-paths.js'
import type { Permission } from '../../../protocol/xenstore-permissions.js'
import type { StoreNode } from './node.js'
import { StoreFault } from './store-fault.js'
import type { TreeView } from './tree.js'

/** On whose behalf a request runs. */
export interface Caller {
  readonly domid: Domid
  /** SET_TARGET: the caller also has every right of this domain. */
  readonly target: Domid | undefined
}

/** Rights as bits. */
export const RIGHTS = { read: 1, write: 2, owner: 4 } as const
const ALL_RIGHTS = RIGHTS.read | RIGHTS.write | RIGHTS.owner
const LETTERS = { n: 0, r: RIGHTS.read, w: RIGHTS.write, b: RIGHTS.read | RIGHTS.write } as const

/** Domain 0, and whoever comes through a socket, passes every check. */
export const isPrivileged = (caller: Caller): boolean => caller.domid === 0

/** The owner and domain 0 have all rights; a listed domain has its entry's; everybody else has entry 0's letter. */
export function rightsOf(caller: Caller, permissions: readonly Permission[]): number {
  const isCaller = (entry: Permission) => entry.domid === caller.domid || entry.domid === caller.target
  const owner = permissions[0]!
  if (isPrivileged(caller) || isCaller(owner)) return ALL_RIGHTS
  const listed = permissions.find((entry, index) => index > 0 && isCaller(entry))
  return LETTERS[(listed ?? owner).access]
}

/** The node, if the caller may know of it: an error tells of a node's absence only who has rights on what is above it. */
export function nodeWithRights(view: TreeView, caller: Caller, path: string, rights: number): StoreNode {
  const node = view.get(path)
  if (node !== undefined && (rightsOf(caller, node.permissions) & rights) === rights) return node
  if (node !== undefined) throw new StoreFault('EACCES')
  const above = nearestAncestor(view, path)
  throw new StoreFault((rightsOf(caller, above.permissions) & rights) === 0 ? 'EACCES' : 'ENOENT')
}

function nearestAncestor(view: TreeView, path: string): StoreNode {
  for (let above = parentPath(path); ; above = parentPath(above)) {
    const node = view.get(above)
    // The root can neither be removed nor be missing.
    if (node !== undefined) return node
  }
}
