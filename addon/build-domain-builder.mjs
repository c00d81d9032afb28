// Compiles conduit-domain-builder, the program that builds Xen domains for jitsud, where the headers of a Xen are installed: from
// addon/domain-builder/ to build/Release/. It fits the one version of Xen that it was compiled for.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

const LIBRARIES = ['xenguest', 'xenctrl', 'xentoollog']

function compiler(args, cwd) {
  return spawnSync(process.env.CC ?? 'cc', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Xen's version, which is in the file name of libxenguest; undefined where its library or its headers are not installed. */
export function xenVersion() {
  const { status, stdout } = compiler(['-print-file-name=libxenguest.so'])
  const library = stdout?.trim() ?? ''
  // Without such a file it is the name again.
  if (status !== 0 || !library.startsWith('/') || !existsSync(library)) return undefined
  const [, version] = /^libxenguest\.so\.([0-9]+\.[0-9]+)/.exec(basename(realpathSync(library))) ?? []
  const headers = spawnSync(process.env.CC ?? 'cc', ['-E', '-x', 'c', '-'], {
    input: '#include <xenctrl.h>\n',
    stdio: 'pipe',
  })
  return headers.status === 0 ? version : undefined
}

/**
 * Builds the program of the package at `root`. Returns what went wrong, with the compiler's output, or undefined, also where there is no
 * Xen to build it for.
 */
export function buildDomainBuilder(root, { say }) {
  if (process.arch !== 'x64') return void say(`no domain builder: it is for x86-64, and this is ${process.arch}`)
  const version = xenVersion()
  if (version === undefined)
    return void say('no domain builder: the headers of Xen are not installed (Debian: libxen-dev)')
  const folder = join(root, 'addon', 'domain-builder')
  const target = join(root, 'build', 'Release', 'conduit-domain-builder')
  const partial = `${target}.${process.pid}`
  const sources = readdirSync(folder).filter((name) => name.endsWith('.c'))
  mkdirSync(join(root, 'build', 'Release'), { recursive: true })
  say(`building the domain builder for Xen ${version}`)
  // xen/hvm/save.h insists on GNU's C.
  const options = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-D_GNU_SOURCE', `-DCONDUIT_XEN_VERSION="${version}"`]
  const libraries = LIBRARIES.map((name) => `-l${name}`)
  const { status, error, stdout, stderr } = compiler([...options, '-o', partial, ...sources, ...libraries], folder)
  if (status === 0) return void renameSync(partial, target)
  rmSync(partial, { force: true })
  return `${stdout ?? ''}${stderr ?? ''}the domain builder does not compile${error ? ` (${error.message})` : ''}`
}
