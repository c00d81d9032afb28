// Whether node_modules is what package-lock.json names, by what npm notes there of its last install.
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @param root the project's folder */
export function needsInstall(root) {
  const folder = join(root, 'node_modules')
  // `npm ci` begins by emptying the folder: through a link that would be somebody else's.
  if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) return false
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const installed = packagesOf(join(folder, '.package-lock.json'))
  if (wanted === undefined) return false
  if (installed === undefined) return true
  const same = (path) =>
    installed[path]?.version === wanted[path].version && installed[path]?.integrity === wanted[path].integrity
  // What is optional may be for another machine; the project itself is not installed.
  const missing = (path) => path !== '' && !same(path) && (path in installed || wanted[path].optional !== true)
  return Object.keys(wanted).some(missing) || Object.keys(installed).some((path) => !(path in wanted))
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}
