// Compiles the library that is preloaded into the store daemons, once for each state of its sources.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../debian-packages.js'
import { projectRoot } from '../project-root.js'

const SOURCES = ['plain_machine.c', 'redirect_paths.c']
const HEADERS = ['plain_machine.h']
// gnu11: Xen's own headers have anonymous unions.
const FLAGS = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O2', '-shared', '-fPIC']

/**
 * The library's path, or why there is none.
 * @param headers where libxen-dev's headers lie
 */
export function buildPreload(headers: string): string | { readonly problem: string } {
  const folder = join(projectRoot(), 'testbed', 'daemons')
  const digest = createHash('sha256').update([...FLAGS, headers].join('\n'))
  for (const file of [...SOURCES, ...HEADERS]) digest.update(readFileSync(join(folder, file)))
  const library = join(cacheFolder(), `plain-machine-${digest.digest('hex').slice(0, 16)}.so`)
  if (existsSync(library)) return library
  mkdirSync(cacheFolder(), { recursive: true, mode: 0o700 })
  const work = `${library}.${process.pid}`
  const sources = SOURCES.map((file) => join(folder, file))
  const compiled = spawnSync('cc', [...FLAGS, '-isystem', headers, '-o', work, ...sources, '-ldl'], {
    encoding: 'utf8',
  })
  if (compiled.status !== 0) return { problem: `a C compiler is needed: ${compiled.error?.message ?? compiled.stderr}` }
  // Somebody else may have been faster: then this replaces the same by the same.
  renameSync(work, library)
  return library
}
