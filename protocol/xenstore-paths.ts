// What may be a path in xenstore, by docs/misc/xenstore.txt: used by the client before it asks and by the store
// before it obeys. Resolves relative paths; does not look anything up.
import type { Domid } from './xen.js'

/** Longest absolute path (XENSTORE_ABS_PATH_MAX in xs_wire.h). */
export const XENSTORE_ABSOLUTE_PATH_MAX = 3072
/** Longest relative path (XENSTORE_REL_PATH_MAX), and longest part below `/local/domain/<domid>/`. */
export const XENSTORE_RELATIVE_PATH_MAX = 2048

const CHARACTERS = /^[A-Za-z0-9/_@-]+$/
const DOMAIN_PREFIX = /^\/local\/domain\/[0-9]{1,5}\//

/** The base of a domain's relative paths. */
export const domainPath = (domid: Domid | number): string => `/local/domain/${domid}`

/** Whether `path` names an event source such as `@releaseDomain` rather than a node of the tree. */
export const isSpecialPath = (path: string): boolean => path.startsWith('@')

/** Whether `path` is relative to the caller's own domain. */
export const isRelativePath = (path: string): boolean => !path.startsWith('/') && !isSpecialPath(path)

/** Why `path` cannot be one; `undefined` when it can. */
export function xenstorePathDefect(path: string): string | undefined {
  if (path === '') return 'it is empty'
  if (!CHARACTERS.test(path)) return 'only letters, digits and / _ @ - are allowed'
  if (path.includes('//')) return 'it has an empty component'
  if (path !== '/' && path.endsWith('/')) return 'it ends in a slash'
  const limit = path.startsWith('/') ? XENSTORE_ABSOLUTE_PATH_MAX : XENSTORE_RELATIVE_PATH_MAX
  if (path.length > limit) return `it has ${path.length} bytes, ${limit} are allowed`
  return undefined
}

/** The absolute form of `path` as said by `caller`; special paths stay as they are. */
export function absoluteXenstorePath(path: string, caller: Domid | number): string {
  return isRelativePath(path) ? `${domainPath(caller)}/${path}` : path
}

/** Bytes of an absolute path that count against the path quota: what is below the domain's own prefix. */
export function countedPathBytes(path: string): number {
  return path.length - (DOMAIN_PREFIX.exec(path)?.[0].length ?? 0)
}

/** The parent of an absolute path other than `/`; `/` for a special path. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** The last component of an absolute path. */
export const leafName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** The path of `child` below `parent`. */
export const childPath = (parent: string, child: string): string =>
  parent === '/' ? `/${child}` : `${parent}/${child}`

/** How many levels `path` lies below `ancestor`: 0 for itself, -1 when it does not. `/` is above every absolute path. */
export function levelsBelow(path: string, ancestor: string): number {
  if (path === ancestor) return 0
  const prefix = ancestor === '/' ? '/' : `${ancestor}/`
  return path.startsWith(prefix) ? path.slice(prefix.length).split('/').length : -1
}
