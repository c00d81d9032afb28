// What dom0 and guests have in common and what changes seldom: the hypervisor, the kernel, and a first root file system
// with busybox, Xen's tools, node and the agent. Built once for each set of inputs and kept in the cache.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { type Architecture, TARGETS } from './architecture.js'
import { fileEntry, type PackedFile, textEntry } from './archive-entries.js'
import { compiled } from './compile-c.js'
import { type CpioEntry, cpioArchive } from './cpio.js'
import { cacheFolder, type DebianTree, debianTree } from './debian-packages.js'
import { loadableKernel, loadableXen } from './kernel-image.js'
import { DEVICE_MODULES, MODULES, moduleFiles } from './kernel-modules.js'
import { nodeProgram } from './node-program.js'
import { PROJECT_ROOT } from './project.js'
import { libraryFile, sharedLibraries } from './shared-libraries.js'
import { toolchain } from './toolchain.js'
import { writePieces } from './write-pieces.js'
import { XEN_VERSION } from './xen-packages.js'

/** Paths of the three files that QEMU starts Xen with. */
export interface BaseImage {
  readonly xen: string
  readonly kernel: string
  /** A cpio archive; more may follow it in the file that is booted. */
  readonly root: string
}

const XEN_PROGRAMS = [
  'libxl-save-helper',
  'oxenstored',
  'xen-init-dom0',
  'xenconsole',
  'xenconsoled',
  'xenstore-control',
  'xenstored',
  'xl',
]
/** Debian builds it for x86 alone. */
const X86_PROGRAMS = ['lsevtchn']
const STORE_PROGRAMS = ['chmod', 'exists', 'list', 'ls', 'read', 'rm', 'watch', 'write'].map(
  (name) => `xenstore-${name}`,
)
const FOLDERS = ['conduit', 'dev', 'proc', 'root', 'run', 'sys', 'tmp', 'var/lib', 'var/lock', 'var/log']

const prefix = (architecture: Architecture) => `xen-image-${architecture}-`

/** Not the `.efi` and the `.config` beside it. */
const HYPERVISOR = new RegExp(`^xen-${XEN_VERSION}-[a-z0-9]+(\\.gz)?$`)

/** Of the cache where it is there; else built, which takes some seconds. */
export function baseImage(tree: DebianTree): BaseImage {
  const plan = new BasePlan(tree)
  const folder = join(cacheFolder(), `${prefix(tree.architecture)}${plan.key()}`)
  if (!existsSync(folder)) {
    mkdirSync(cacheFolder(), { recursive: true, mode: 0o700 })
    const work = mkdtempSync(join(cacheFolder(), 'work-'))
    try {
      plan.build(work)
      // Somebody else may have been faster.
      if (!existsSync(folder)) renameSync(work, folder)
      removeOlder(folder, tree.architecture)
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  }
  return { xen: join(folder, 'xen'), kernel: join(folder, 'kernel'), root: join(folder, 'root.cpio') }
}

/** They have 200 MB each, and nobody asks for one again. QEMU keeps what it has opened. */
function removeOlder(current: string, architecture: Architecture): void {
  for (const name of readdirSync(cacheFolder())) {
    const path = join(cacheFolder(), name)
    if (name.startsWith(prefix(architecture)) && path !== current) rmSync(path, { recursive: true, force: true })
  }
}

class BasePlan {
  readonly #tree: DebianTree
  readonly #node: string
  readonly #kernel: string
  readonly #hypervisor: string
  readonly #files: readonly PackedFile[]
  readonly #modules: readonly PackedFile[]
  readonly #deviceModules: readonly PackedFile[]

  constructor(tree: DebianTree) {
    this.#tree = tree
    const node = nodeProgram(tree.architecture)
    if ('problem' in node) throw new Error(node.problem)
    this.#node = node.path
    const boot = join(tree.root, 'boot')
    this.#hypervisor = join(boot, readdirSync(boot).find((name) => HYPERVISOR.test(name))!)
    this.#kernel = join(boot, readdirSync(boot).find((name) => name.startsWith('vmlinuz-'))!)
    const version = basename(this.#kernel).replace('vmlinuz-', '')
    const folder = `lib/modules/${version}`
    const packed = (names: readonly string[]): PackedFile[] =>
      moduleFiles(join(tree.root, folder), names).map((source) => ({ path: join(folder, basename(source)), source }))
    this.#modules = packed([...MODULES, TARGETS[tree.architecture].virtioModule])
    const loaded = new Set(this.#modules.map(({ path }) => path))
    this.#deviceModules = packed(DEVICE_MODULES).filter(({ path }) => !loaded.has(path))
    this.#files = [...this.#programs(), ...this.#modules, ...this.#deviceModules]
  }

  /** Over everything that goes in. Files of packages and node keep their times: size and time stand for their content. */
  key(): string {
    const hash = createHash('sha256')
    const stamp = (path: string) => `${path} ${statSync(path).size} ${statSync(path).mtimeMs}`
    for (const { path, source } of this.#files) hash.update(`${path} ${stamp(source)}\n`)
    for (const path of [this.#kernel, this.#hypervisor]) hash.update(`${stamp(path)}\n`)
    const code = ['base-image.js', 'cpio.js', 'archive-entries.js', 'kernel-image.js'].map((name) =>
      join(import.meta.dirname, name),
    )
    for (const path of code) hash.update(readFileSync(path))
    return hash.digest('hex').slice(0, 12)
  }

  build(folder: string): void {
    writeFileSync(join(folder, 'xen'), loadableXen(this.#hypervisor))
    writeFileSync(join(folder, 'kernel'), loadableKernel(this.#kernel, this.#tree))
    // Without its symbols node is 13 MB smaller, in every guest.
    const node = join(folder, 'node')
    const tools = toolchain(this.#tree.architecture)
    if (typeof tools === 'string') throw new Error(tools)
    const stripped = spawnSync(tools.strip, ['-o', node, this.#node], { env: tools.environment, encoding: 'utf8' })
    if (stripped.status !== 0) throw new Error(`strip: ${stripped.error?.message ?? stripped.stderr.trim()}`)
    writePieces(join(folder, 'root.cpio'), cpioArchive(this.#entries(node)))
    rmSync(node)
  }

  #programs(): PackedFile[] {
    const { root, architecture } = this.#tree
    const inside = join(PROJECT_ROOT, 'testbed/inside')
    const xen = `usr/lib/xen-${XEN_VERSION}/bin`
    const xenPrograms = architecture === 'x86_64' ? [...XEN_PROGRAMS, ...X86_PROGRAMS] : XEN_PROGRAMS
    const programs = [
      ...xenPrograms.map((name) => ({ path: join(xen, name), source: join(root, xen, name) })),
      ...STORE_PROGRAMS.map((name) => ({ path: join('usr/bin', name), source: join(root, 'usr/bin', name) })),
      { path: 'usr/bin/node', source: this.#node },
    ]
    // For programs that come later: the peers.
    const library = join(this.#tree.libraries, 'libxenvchan.so')
    const libraries = sharedLibraries([...programs.map(({ source }) => source), library], this.#tree)
    const agent = {
      path: 'usr/bin/agent',
      source: compiled({ name: 'agent', folder: inside, options: [], architecture }),
    }
    const scripts = ['dom0-init', 'guest-init'].map((name) => ({
      path: join('sbin', name),
      source: join(inside, name),
    }))
    return [
      ...[...programs, agent, ...scripts].map((file) => ({ ...file, executable: true })),
      ...[...libraries, this.#sharedObject('libxenvchan')].map((source) => libraryFile(source, architecture)),
      { path: 'bin/busybox', source: join(root, 'bin/busybox'), executable: true },
      { path: 'lib/testbed/start', source: join(inside, 'start') },
      { path: 'etc/xen/oxenstored.conf', source: join(root, 'etc/xen/oxenstored.conf') },
    ]
  }

  #sharedObject(name: string): string {
    const file = readdirSync(this.#tree.libraries).find((entry) => entry.startsWith(`${name}.so.`))
    return join(this.#tree.libraries, file!)
  }

  *#entries(node: string): Generator<CpioEntry> {
    for (const path of FOLDERS) yield { path, kind: 'folder' }
    yield { path: 'var/run', kind: 'link', target: '/run' }
    yield* this.#busyboxLinks()
    for (const file of this.#files) yield fileEntry(file.source === this.#node ? { ...file, source: node } : file)
    for (const [list, modules] of [
      ['modules', this.#modules],
      ['device-modules', this.#deviceModules],
    ] as const) {
      yield textEntry(join('lib/testbed', list), modules.map(({ path }) => `/${path}\n`).join(''))
    }
    yield textEntry('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n')
    yield textEntry('etc/group', 'root:x:0:\n')
    yield textEntry('etc/hosts', '127.0.0.1 localhost\n')
    yield textEntry('etc/xen/xl.conf', 'autoballoon="off"\n')
  }

  *#busyboxLinks(): Generator<CpioEntry> {
    // Asked of this machine's kind: the same version has the same applets everywhere.
    const tree = this.#tree.architecture === 'x86_64' ? this.#tree : debianTree('busybox', ['busybox-static'])
    if (typeof tree === 'string') throw new Error(tree)
    const listed = spawnSync(join(tree.root, 'bin/busybox'), ['--list-full'], { encoding: 'utf8' })
    if (listed.status !== 0) throw new Error(`busybox: ${listed.error?.message ?? listed.stderr.trim()}`)
    const own = new Set(['bin/busybox', ...this.#files.map(({ path }) => path)])
    for (const path of listed.stdout.trim().split('\n')) {
      if (!own.has(path)) yield { path, kind: 'link', target: '/bin/busybox' }
    }
  }
}
