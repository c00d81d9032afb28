// Which shared libraries programs need, as this machine's loader would find them, Debian's unpacked ones first.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DebianTree } from './debian-packages.js'

/** Both of Debian's folders; the second before /usr was merged. */
export function libraryPath(tree: DebianTree): string {
  return [tree.libraries, tree.libraries.replace(join(tree.root, 'usr'), tree.root)].join(':')
}

/** Absolute paths of all libraries and of the loader. Throws for a library that is nowhere. */
export function sharedLibraries(programs: readonly string[], tree: DebianTree): string[] {
  const env = { ...process.env, LD_LIBRARY_PATH: libraryPath(tree) }
  const found = new Set<string>()
  for (const program of programs) {
    const listed = spawnSync('ldd', [program], { env, encoding: 'utf8' })
    if (listed.error !== undefined) throw new Error(`ldd must work here: ${listed.error.message}`)
    for (const line of listed.stdout.split('\n')) {
      const path = /(?:=> |^\s*)(\/\S+) \(0x/.exec(line)?.[1]
      if (path !== undefined) found.add(path)
      if (line.includes('not found')) throw new Error(`${program} needs a library: ${line.trim()}`)
    }
  }
  return [...found].filter((path) => existsSync(path)).sort()
}
