// Which watch hears of which change. Indexed by path, so that a change costs its depth and not the number of watches.
import { isSpecialPath, levelsBelow, parentPath } from '../../../protocol/xenstore-paths.js'
import type { Caller } from './rights.js'
import { RIGHTS, rightsOf } from './rights.js'
import type { Change, TreeView } from './tree.js'

/** One registered watch. */
export interface StoreWatch {
  /** Absolute, or special. */
  readonly path: string
  readonly token: string
  /** Levels below `path` that count; `undefined` for all. */
  readonly depth: number | undefined
  /** Bytes to leave out at the front of each event's path: a watch set by a relative path hears relative ones. */
  readonly prefixBytes: number
  readonly caller: Caller
  /** `path` is relative where the watch is. */
  fire(path: string): void
}

/** The event's path as this watch's owner knows it. */
export const pathForWatch = (watch: StoreWatch, path: string): string => path.slice(watch.prefixBytes)

export class WatchTable {
  readonly #byPath = new Map<string, Set<StoreWatch>>()

  add(watch: StoreWatch): void {
    const watches = this.#byPath.get(watch.path)
    if (watches === undefined) this.#byPath.set(watch.path, new Set([watch]))
    else watches.add(watch)
  }

  remove(watch: StoreWatch): void {
    const watches = this.#byPath.get(watch.path)
    if (watches?.delete(watch) && watches.size === 0) this.#byPath.delete(watch.path)
  }

  /** Fire what matches `change`: watches on the path and on what is above it, unless the change is exact. */
  fire(view: TreeView, change: Change): void {
    for (let at = change.path; ; at = parentPath(at)) {
      for (const watch of this.#byPath.get(at) ?? []) {
        if (!withinDepth(watch, change.path) || !mayHear(view, watch.caller, change)) continue
        watch.fire(pathForWatch(watch, change.path))
      }
      if (change.exact || at === '/' || isSpecialPath(at)) return
    }
  }

  /**
   * Fire `@introduceDomain` or `@releaseDomain` for `domid`. Heard by whoever may read the special node; a watch of
   * depth 1 hears `@releaseDomain/<domid>`, and a watch on that path hears of this domain only.
   */
  fireSpecial(view: TreeView, special: string, domid: number): void {
    const permissions = view.get(special)!.permissions
    const precise = `${special}/${domid}`
    for (const at of [special, precise]) {
      for (const watch of this.#byPath.get(at) ?? []) {
        if ((rightsOf(watch.caller, permissions) & RIGHTS.read) === 0) continue
        watch.fire(watch.depth === 1 ? precise : at)
      }
    }
  }
}

const withinDepth = (watch: StoreWatch, path: string): boolean =>
  watch.depth === undefined || levelsBelow(path, watch.path) <= watch.depth

/**
 * The node or its parent must be readable, now or before the change (watch.c, watch_permitted): who loses a right, or
 * whose node was removed, hears of it.
 */
function mayHear(view: TreeView, caller: Caller, change: Change): boolean {
  const canRead = (permissions: Parameters<typeof rightsOf>[1]) => (rightsOf(caller, permissions) & RIGHTS.read) !== 0
  if (change.formerPermissions !== undefined && canRead(change.formerPermissions)) return true
  if (canRead(change.node.permissions)) return true
  if (isSpecialPath(change.path)) return false
  const parent = view.get(parentPath(change.path))
  return parent !== undefined && canRead(parent.permissions)
}
