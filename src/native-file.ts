// Which file holds the addon for this process: a build of our own, else the prebuilt one of this platform. Loads nothing.
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConduitError } from './errors.js'

/** The C library: a binary that was linked against one does not load on the other. */
type Libc = 'glibc' | 'musl'

/**
 * From the program's interpreter, which the linker puts into the first page of node's binary (elf(5), PT_INTERP). Node's own
 * report names the C library too, and takes milliseconds to gather: it is asked only when the first page does not tell.
 */
function libc(): Libc {
  const page = Buffer.alloc(4096)
  const fd = openSync('/proc/self/exe', 'r')
  readSync(fd, page)
  closeSync(fd)
  if (page.includes('/ld-musl-')) return 'musl'
  if (page.includes('/ld-linux')) return 'glibc'
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}

/** Where the package keeps this platform's prebuilt addon, below its root: architecture and C library. */
export function prebuildPath(): string {
  return join('prebuilds', `linux-${process.arch}`, `conduit.${libc()}.node`)
}

/** The folder that holds package.json, whether this file runs from dist/ or from an installed package. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder)
  return folder
}

/** How to get an addon for the package at `root`. Only a checkout has a tsconfig.json. */
export function buildHint(root: string): string {
  const command = existsSync(join(root, 'tsconfig.json')) ? `npm run build in ${root}` : 'npx conduit-build'
  return `${command}, with a C++20 compiler, make and python3 at hand`
}

/**
 * `$CONDUIT_ADDON`, else what was built in the package at `root`, else what it ships.
 * @throws ConduitError ADDON_MISSING
 */
export function nativeFile(root: string, override: string | undefined = process.env.CONDUIT_ADDON): string {
  if (override !== undefined && override !== '') return override
  if (process.platform !== 'linux') {
    throw new ConduitError(
      'ADDON_MISSING',
      `no addon for ${process.platform}-${process.arch}: there is one for Linux only`,
      {
        hint: 'run it on Linux, in a container if need be',
      },
    )
  }
  const built = join(root, 'build', 'Release', 'conduit.node')
  if (existsSync(built)) return built
  const shipped = join(root, prebuildPath())
  if (existsSync(shipped)) return shipped
  const platform = `linux-${process.arch} (${libc()})`
  throw new ConduitError('ADDON_MISSING', `no addon for ${platform}: looked for ${built} and ${shipped}`, {
    hint: buildHint(root),
  })
}
