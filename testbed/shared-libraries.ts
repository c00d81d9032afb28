// Which shared libraries programs need: read from the ELF files themselves (DT_NEEDED), since those of another architecture
// cannot be asked. Debian's unpacked libraries come first, then this machine's own, where it is of the same kind.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Architecture, OWN_ARCHITECTURE, TARGETS } from './architecture.js'
import type { PackedFile } from './archive-entries.js'
import type { DebianTree } from './debian-packages.js'

/** Both of Debian's folders; the second before /usr was merged. */
export function libraryPath(tree: DebianTree): string {
  return libraryFolders(tree).join(':')
}

function libraryFolders(tree: DebianTree): string[] {
  return [tree.libraries, tree.libraries.replace(join(tree.root, 'usr'), tree.root)]
}

/** Absolute paths of all libraries and of the loader. Throws for a library that is nowhere. */
export function sharedLibraries(programs: readonly string[], tree: DebianTree): string[] {
  const { triplet, loaderFolder } = TARGETS[tree.architecture]
  const own = [`/lib/${triplet}`, `/usr/lib/${triplet}`, `/${loaderFolder}`, `/usr/${loaderFolder}`]
  const folders = [
    ...libraryFolders(tree),
    join(tree.root, loaderFolder),
    ...(tree.architecture === OWN_ARCHITECTURE ? own : []),
  ]
  const found = new Set<string>()
  const add = (program: string): void => {
    for (const name of neededBy(program)) {
      const folder = folders.find((candidate) => existsSync(join(candidate, name)))
      if (folder === undefined) throw new Error(`${program} needs a library: ${name}`)
      const path = join(folder, name)
      if (found.has(path)) continue
      found.add(path)
      add(path)
    }
  }
  for (const program of programs) add(program)
  return [...found].sort()
}

/** Names as the loader looks for them; none for a static program. */
function neededBy(program: string): string[] {
  const read = spawnSync('readelf', ['-d', '-W', program], { encoding: 'utf8' })
  if (read.status !== 0) throw new Error(`readelf must work here: ${read.error?.message ?? read.stderr.trim()}`)
  return [...read.stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name!)
}

/** Where the loader looks for it, whatever folder it was found in. */
export function libraryFile(source: string, architecture: Architecture): PackedFile {
  const { loaderFolder, triplet } = TARGETS[architecture]
  const folder = basename(source).startsWith('ld-linux') ? loaderFolder : `lib/${triplet}`
  return { path: join(folder, basename(source)), source, executable: true }
}
