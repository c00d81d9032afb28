// The project as it is now, to be put behind the base image: compiled code, addon, packages that it and its tests need,
// C peers, unikernels, and the files that a user adds.
import { readFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { OWN_ARCHITECTURE } from './architecture.js'
import { fileEntry, filesBelow, type PackedFile } from './archive-entries.js'
import { compiled } from './compile-c.js'
import type { CpioEntry } from './cpio.js'
import { crossAddon } from './cross-addon.js'
import type { DebianTree } from './debian-packages.js'
import { domainBuilder } from './domain-builder.js'
import { packageFolders } from './package-folders.js'
import { PROJECT_IN_MACHINE, PROJECT_ROOT } from './project.js'
import { libraryPath } from './shared-libraries.js'
import { unikernelImages } from './unikernel-images.js'
import { vchanPeer } from './vchan-peer.js'

const FOLDER = PROJECT_IN_MACHINE.slice(1)
/** What tests import beside the project's own dependencies. */
const TEST_PACKAGES = ['mocha', 'chai', 'fast-check']

/** Entries in a fixed order; `extra` ones last. */
export function* projectArchive(tree: DebianTree, extra: readonly PackedFile[]): Generator<CpioEntry> {
  const { bin, dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8'),
  ) as {
    bin: Record<string, string>
    dependencies: Record<string, string>
    optionalDependencies: Record<string, string>
  }
  const commands = new Set(Object.values(bin))
  const runnable = (name: string) => !name.endsWith('.d.ts') && !name.endsWith('.tsbuildinfo')
  const files = [
    ...filesBelow(join(PROJECT_ROOT, 'dist'), 'dist', runnable),
    projectFile('package.json'),
    { path: 'build/Release/conduit.node', source: addon(tree) },
    ...packageFolders(PROJECT_ROOT, [
      ...Object.keys({ ...dependencies, ...optionalDependencies }),
      ...TEST_PACKAGES,
    ]).flatMap(packageFiles),
  ]
  for (const { path, source } of files) {
    yield fileEntry({ path: join(FOLDER, path), source, executable: commands.has(path) })
  }
  for (const [name, target] of Object.entries(bin)) {
    if (files.some(({ path }) => path === target)) {
      yield { path: join(FOLDER, 'bin', name), kind: 'link', target: join(PROJECT_IN_MACHINE, target) }
    }
  }
  for (const program of peers(tree)) yield fileEntry(program)
  // It builds domains for x86 alone; elsewhere xl does.
  if (tree.architecture === 'x86_64') {
    const builder = join(FOLDER, 'build/Release/conduit-domain-builder')
    yield fileEntry({ path: builder, source: domainBuilder(tree), executable: true })
  }
  for (const source of unikernelImages()) {
    yield fileEntry({ path: join(FOLDER, 'unikernel/build', basename(source)), source, executable: false })
  }
  for (const file of extra) yield fileEntry(file)
}

function projectFile(path: string): PackedFile {
  return { path, source: join(PROJECT_ROOT, path) }
}

/** As the build made it, or for the other architecture. */
function addon({ architecture }: DebianTree): string {
  return architecture === OWN_ARCHITECTURE ? join(PROJECT_ROOT, 'build/Release/conduit.node') : crossAddon(architecture)
}

/** Types and source maps of packages are of no use in there. */
function packageFiles(folder: string): PackedFile[] {
  const wanted = (name: string) => !/\.(d\.[cm]?ts|map|md)$/.test(name) && !name.includes('node_modules/')
  return filesBelow(folder, relative(PROJECT_ROOT, folder), wanted)
}

/** C programs on libxenvchan: the testbed's own smoke check, and the peer of the SDK's tests. */
function peers(tree: DebianTree): PackedFile[] {
  const peer = vchanPeer(tree.architecture)
  if (typeof peer === 'string') throw new Error(peer)
  const hello = compiled({
    name: 'vchan-hello',
    architecture: tree.architecture,
    folder: join(PROJECT_ROOT, 'testbed/inside/peers'),
    options: [
      `-isystem${join(tree.root, 'usr/include')}`,
      `-L${tree.libraries}`,
      `-Wl,-rpath-link,${libraryPath(tree)}`,
      '-lxenvchan',
    ],
  })
  return [peer.path, hello].map((source) => ({ path: join('usr/bin', basename(source)), source, executable: true }))
}
