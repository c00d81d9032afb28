// Which folders of node_modules a set of packages needs, by package-lock.json.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface LockedPackage {
  readonly dependencies?: Record<string, string>
}

/** Absolute paths of the packages and of all that they depend on, each once. */
export function packageFolders(root: string, names: readonly string[]): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>
  }
  return lockedPackages(lock.packages, names).map((path) => join(root, path))
}

/** Keys of the lock file's `packages`, found as node finds them: the nearest node_modules first. */
export function lockedPackages(packages: Record<string, LockedPackage>, names: readonly string[]): string[] {
  const found = new Set<string>()
  const add = (name: string, from: string): void => {
    const path = locate(packages, name, from)
    if (path === undefined) throw new Error(`${name}, needed by ${from || 'the project'}, is not in package-lock.json`)
    if (found.has(path)) return
    found.add(path)
    for (const needed of Object.keys(packages[path]?.dependencies ?? {})) add(needed, path)
  }
  for (const name of names) add(name, '')
  return [...found].sort()
}

function locate(packages: Record<string, LockedPackage>, name: string, from: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`
    if (packages[path] !== undefined) return path
    if (at === '') return undefined
  }
}
