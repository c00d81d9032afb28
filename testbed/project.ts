// Where this project is on disk.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder with package.json. */
export const PROJECT_ROOT = findRoot(dirname(fileURLToPath(import.meta.url)))

/** Where the project is in dom0 and in guests. */
export const PROJECT_IN_MACHINE = '/conduit'

function findRoot(from: string): string {
  for (let at = from; at !== dirname(at); at = dirname(at)) if (existsSync(join(at, 'package.json'))) return at
  throw new Error(`no package.json above ${from}`)
}
