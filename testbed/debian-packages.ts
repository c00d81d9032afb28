// Debian packages without installing them: downloaded with apt-get and unpacked with dpkg into a cache folder, once. Needs
// no root but for an `apt-get update` where this machine's package lists are missing or old.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Architecture, TARGETS } from './architecture.js'
import { foreignApt } from './foreign-apt.js'

/** Unpacked packages, as one tree. */
export interface DebianTree {
  /** What `usr/`, `boot/`, … are below. */
  readonly root: string
  /** Where its shared libraries are, for LD_LIBRARY_PATH and `-L`. */
  readonly libraries: string
  readonly architecture: Architecture
}

/**
 * The packages below one folder, or why they cannot be had. The folder is named after what is in it: another list is
 * another folder, and one that is there is whole.
 * @param name for people who look into the cache
 */
export function debianTree(
  name: string,
  packages: readonly string[],
  architecture: Architecture = 'x86_64',
): DebianTree | string {
  const digest = createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 8)
  const kind = architecture === 'x86_64' ? '' : `${architecture}-`
  const root = join(cacheFolder(), `${name}-${kind}${digest}`)
  if (!existsSync(root)) {
    const failure = fetchInto(root, packages, architecture)
    if (failure !== undefined) return failure
  }
  const usr = join(root, 'usr')
  if (!existsSync(usr)) return `no ${usr}: remove ${root} and try again`
  return { root, libraries: join(usr, 'lib', TARGETS[architecture].triplet), architecture }
}

/** For what is downloaded or built once: in node_modules, which is there and ignored; elsewhere when it cannot be written. */
export function cacheFolder(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); at !== dirname(at); at = dirname(at)) {
    const modules = join(at, 'node_modules')
    if (!existsSync(modules)) continue
    try {
      accessSync(modules, constants.W_OK)
      return join(modules, '.cache', 'conduit-debs')
    } catch {
      break
    }
  }
  return join(tmpdir(), `conduit-debs-${process.getuid?.() ?? 0}`)
}

/** Unpacked beside the cache first and then moved there, so that the folder is whole or not there. */
function fetchInto(folder: string, packages: readonly string[], architecture: Architecture): string | undefined {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 })
  const work = mkdtempSync(join(dirname(folder), 'work-'))
  try {
    const failure = download(work, packages, architecture)
    if (failure !== undefined) return failure
    const tree = join(work, 'tree')
    for (const file of readdirSync(work).filter((entry) => entry.endsWith('.deb'))) {
      const unpacked = spawnSync('dpkg', ['-x', file, tree], { cwd: work, encoding: 'utf8' })
      if (unpacked.status !== 0) return `dpkg -x must work here: ${unpacked.error?.message ?? unpacked.stderr.trim()}`
    }
    // Somebody else may have been faster.
    if (!existsSync(folder)) renameSync(tree, folder)
    return undefined
  } finally {
    rmSync(work, { recursive: true })
  }
}

/** Options for apt-get and apt-cache; none for this machine's own architecture. */
export function aptOptions(architecture: Architecture): readonly string[] {
  return architecture === 'x86_64' ? [] : foreignApt(TARGETS[architecture].debian, cacheFolder())
}

function download(work: string, packages: readonly string[], architecture: Architecture): string | undefined {
  const apt = aptOptions(architecture)
  const run = () => spawnSync('apt-get', [...apt, 'download', ...packages], { cwd: work, encoding: 'utf8' })
  let downloaded = run()
  // A new machine has no package lists yet, or old ones whose files are gone. This machine's own need root; without it the
  // second try fails too.
  if (downloaded.status !== 0) {
    spawnSync('apt-get', [...apt, 'update'], { stdio: 'ignore' })
    downloaded = run()
  }
  if (downloaded.status === 0) return undefined
  const why = downloaded.error?.message ?? downloaded.stderr.trim().split('\n')[0]
  return `apt-get download ${packages.join(' ')} must work here (${why}); as root, apt-get update`
}
