// The guest's images: `npm run build:unikernel` compiles each application of apps/ with what every guest needs, links it, and
// cuts the file down to what Xen loads. Arguments: paths of other applications, `--arch ARCHITECTURE`, `--out FOLDER`,
// `--pages FOLDER` for what an HTTP server serves.
// Tests and the testbed import buildUnikernel. Needs a C compiler and nothing else; for arm64 Debian's gcc-aarch64-linux-gnu,
// which the testbed unpacks where it is not installed.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { pagesSource } from './build-pages.mjs'
import { flatImage } from './flat-image.mjs'
import { trimElf } from './trim-elf.mjs'

const HERE = import.meta.dirname

/** No image may be larger. arm64's instructions have four bytes each: the same source takes a quarter more. */
export const IMAGE_BYTES_MAX = { x86_64: 16 << 10, arm64: 20 << 10 }

const COMMON = [
  ...[
    '-std=c11',
    '-Oz',
    '-flto',
    '-ffreestanding',
    '-fno-pic',
    '-fno-stack-protector',
    '-fno-asynchronous-unwind-tables',
  ],
  // Otherwise memory.c's loops would become calls of themselves.
  ...['-fno-tree-loop-distribute-patterns', '-ffunction-sections', '-fdata-sections', '-fno-strict-aliasing'],
  ...['-Wall', '-Wextra', '-Werror'],
]
const LINK = ['-nostdlib', '-s', '-Wl,--gc-sections', '-Wl,--build-id=none', '-Wl,-n']

/** What brings gcc 12 to smaller code beyond -Oz. */
const X86_SMALL = [
  ...['-mpreferred-stack-boundary=3', '-fno-inline-functions-called-once', '-fno-tree-sra', '-fno-forward-propagate'],
  ...['-fno-tree-loop-optimize', '-fno-caller-saves', '-fno-gcse', '-fno-code-hoisting', '-fno-move-loop-invariants'],
  '-fno-tree-copy-prop',
]

const ARM64_SMALL = [
  ...['-fomit-frame-pointer', '-fno-tree-sra', '-fno-gcse', '-fno-code-hoisting', '-fno-move-loop-invariants'],
  ...['-fno-caller-saves', '-fno-tree-loop-optimize'],
]

/** How each architecture is compiled; its own sources and link script are in arch/ARCHITECTURE/. */
const ARCHITECTURES = {
  x86_64: {
    compiler: 'gcc',
    options: ['-m64', '-mno-red-zone', '-mgeneral-regs-only', '-fcf-protection=none', ...X86_SMALL],
    link: ['-static', '-no-pie'],
    finish: trimElf,
    suffix: '.elf',
  },
  arm64: {
    compiler: 'aarch64-linux-gnu-gcc',
    // A char has a sign, as on x86-64: the same source means the same. The tiny model reaches 1 MiB, which is more than all of it.
    options: ['-fpie', '-fsigned-char', '-mgeneral-regs-only', '-mno-outline-atomics', '-mcmodel=tiny', ...ARM64_SMALL],
    // Calls of these appear after the link-time optimiser has looked who is called.
    link: ['-Wl,-pie,--no-dynamic-linker', '-Wl,-u,memcmp,-u,memcpy,-u,memset'],
    finish: flatImage,
    suffix: '.image',
  },
}

/** The compiler of an architecture, as Debian names it; the testbed has one of its own for arm64 (testbed/toolchain.ts). */
const ownCompiler = (arch) => ({ compiler: ARCHITECTURES[arch].compiler, options: [], environment: process.env })

const sourcesIn = (folder) =>
  readdirSync(folder)
    .filter((name) => /\.[cS]$/.test(name))
    .sort()
    .map((name) => join(folder, name))

/** Paths of the applications that the project itself has. */
export const applications = () => sourcesIn(join(HERE, 'apps'))

/**
 * Compile one image.
 * @param {{ app: string, out: string, arch?: string, pages?: string, cross?: { compiler: string,
 *   options: readonly string[], environment: NodeJS.ProcessEnv } }} options `app` is the application's C file, `out` the
 *   image's path, `pages` the folder of an HTTP server's files, `cross` another compiler than the machine's
 * @returns {{ path: string, bytes: number }}
 * @throws Error with the compiler's words, or when the image is too large
 */
export function buildUnikernel({ app, out, arch = 'x86_64', pages = join(HERE, 'pages'), cross }) {
  const target = ARCHITECTURES[arch]
  if (target === undefined) throw new Error(`no architecture ${arch}: ${Object.keys(ARCHITECTURES).join(', ')}`)
  const folder = join(HERE, 'arch', arch)
  const work = mkdtempSync(`${out}.`)
  try {
    const linked = join(work, 'linked.elf')
    const pageTable = join(work, 'pages.s')
    writeFileSync(pageTable, pagesSource(pages))
    const sources = [...sourcesIn(HERE), ...sourcesIn(folder), app, pageTable]
    const { compiler, options: own, environment } = cross ?? ownCompiler(arch)
    const machine = [...own, ...COMMON, ...target.options, ...LINK, ...target.link]
    const options = [...machine, `-Wl,-T,${join(folder, 'guest.ld')}`, `-I${HERE}`]
    const result = spawnSync(compiler, [...options, '-o', linked, ...sources], { env: environment, encoding: 'utf8' })
    if (result.status !== 0) throw new Error(`${compiler}: ${result.error?.message ?? result.stderr}`)
    const image = target.finish(readFileSync(linked))
    const most = IMAGE_BYTES_MAX[arch]
    if (image.length > most) {
      throw new Error(`${basename(out)} has ${image.length} bytes, which is more than ${most}`)
    }
    writeFileSync(out, image)
    return { path: out, bytes: image.length }
  } finally {
    rmSync(work, { recursive: true })
  }
}

/** Undefined where the machine has the compiler itself. */
async function crossCompiler(arch) {
  const { compiler } = ARCHITECTURES[arch] ?? {}
  const unpacked = join(HERE, '../dist/testbed/toolchain.js')
  if (compiler === undefined || spawnSync(compiler, ['--version']).status === 0 || !existsSync(unpacked))
    return undefined
  const { toolchain } = await import(unpacked)
  const tools = toolchain(arch)
  if (typeof tools === 'string') throw new Error(tools)
  return { ...tools, compiler: tools.c }
}

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      arch: { type: 'string', default: 'x86_64' },
      out: { type: 'string', default: join(HERE, 'build') },
      pages: { type: 'string', default: join(HERE, 'pages') },
    },
    allowPositionals: true,
  })
  const cross = await crossCompiler(values.arch)
  mkdirSync(values.out, { recursive: true })
  for (const app of positionals.length > 0 ? positionals.map((path) => resolve(path)) : applications()) {
    const out = join(values.out, `conduit-${basename(app, '.c')}${ARCHITECTURES[values.arch]?.suffix ?? ''}`)
    const pages = resolve(values.pages)
    const { bytes } = buildUnikernel({ app, out, arch: values.arch, pages, ...(cross === undefined ? {} : { cross }) })
    console.log(`${out}: ${bytes} bytes`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main()
  } catch (error) {
    console.error(`build:unikernel: ${error.message}`)
    process.exit(1)
  }
}
