// Debian's xenstore-utils without installing them: downloaded with apt-get and unpacked with dpkg into a cache folder,
// once. Where that cannot be, tests are pending and say why; with CI=true they fail instead.
import { execFile, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PACKAGES = ['xenstore-utils', 'libxenstore4', 'libxentoolcore1']

/** The programs, unpacked. */
export interface XenstoreUtils {
  /** Path of a program such as `xenstore-ls`. */
  program(name: string): string
  /** What they need in the environment to find their libraries, and the store behind `socket`. */
  environment(socket: string): NodeJS.ProcessEnv
}

/** The programs, or why they cannot be had. */
export function findXenstoreUtils(): XenstoreUtils | string {
  const folder = join(cacheFolder(), 'xenstore-utils')
  if (!existsSync(folder)) {
    const failure = fetchInto(folder)
    if (failure !== undefined) return failure
  }
  const libraries = join(folder, 'usr', 'lib')
  const [triplet] = readdirSync(libraries).filter((name) => name.includes('-linux-gnu'))
  if (triplet === undefined) return `no libraries in ${libraries}: remove ${folder} and try again`
  return {
    program: (name) => join(folder, 'usr', 'bin', name),
    environment: (socket) => ({
      ...process.env,
      LD_LIBRARY_PATH: join(libraries, triplet),
      XENSTORED_PATH: socket,
    }),
  }
}

/** In node_modules, which is there and ignored; elsewhere when it cannot be written. */
function cacheFolder(): string {
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
function fetchInto(folder: string): string | undefined {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 })
  const work = mkdtempSync(join(dirname(folder), 'work-'))
  try {
    const download = () => spawnSync('apt-get', ['download', ...PACKAGES], { cwd: work, encoding: 'utf8' })
    let downloaded = download()
    // A new machine has no package lists yet, or old ones whose files are gone. Needs root; without it the second try fails too.
    if (downloaded.status !== 0) {
      spawnSync('apt-get', ['update'], { stdio: 'ignore' })
      downloaded = download()
    }
    if (downloaded.status !== 0) {
      const why = downloaded.error?.message ?? downloaded.stderr.trim().split('\n')[0]
      return `xenstore-utils needed: apt-get download ${PACKAGES.join(' ')} must work here (${why}); as root, apt-get update`
    }
    const tree = join(work, 'tree')
    for (const name of readdirSync(work).filter((file) => file.endsWith('.deb'))) {
      const unpacked = spawnSync('dpkg', ['-x', name, tree], { cwd: work, encoding: 'utf8' })
      if (unpacked.status !== 0) return `dpkg -x must work here: ${unpacked.error?.message ?? unpacked.stderr.trim()}`
    }
    // Somebody else may have been faster.
    if (!existsSync(folder)) renameSync(tree, folder)
    return undefined
  } finally {
    rmSync(work, { recursive: true })
  }
}

export interface ProgramResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Run one of the programs to its end, on the store behind `socket`. */
export function runUtility(
  utils: XenstoreUtils,
  socket: string,
  name: string,
  args: readonly string[],
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    execFile(utils.program(name), args, { env: utils.environment(socket) }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ status, stdout, stderr })
    })
  })
}
