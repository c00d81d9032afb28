// The guest's images: `npm run build:unikernel` compiles each application of apps/ with what every guest needs, links it, and
// cuts the file down to what Xen loads. Arguments: paths of other applications, `--arch ARCHITECTURE`, `--out FOLDER`,
// `--pages FOLDER` for what an HTTP server serves.
// Tests and the testbed import buildUnikernel. Needs a C compiler and nothing else.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { pagesSource } from './build-pages.mjs'
import { trimElf } from './trim-elf.mjs'

const HERE = import.meta.dirname

/** No image may be larger. */
export const IMAGE_BYTES_MAX = 16 << 10

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
const LINK = ['-nostdlib', '-static', '-no-pie', '-s', '-Wl,--gc-sections', '-Wl,--build-id=none', '-Wl,-n']

/** What brings gcc 12 to smaller code beyond -Oz. */
const X86_SMALL = [
  ...['-mpreferred-stack-boundary=3', '-fno-inline-functions-called-once', '-fno-tree-sra', '-fno-forward-propagate'],
  ...['-fno-tree-loop-optimize', '-fno-caller-saves', '-fno-gcse', '-fno-code-hoisting', '-fno-move-loop-invariants'],
  '-fno-tree-copy-prop',
]

/** How each architecture is compiled; its own sources and link script are in arch/ARCHITECTURE/. */
const ARCHITECTURES = {
  x86_64: {
    compiler: 'gcc',
    options: ['-m64', '-mno-red-zone', '-mgeneral-regs-only', '-fcf-protection=none', ...X86_SMALL],
    finish: trimElf,
  },
}

const sourcesIn = (folder) =>
  readdirSync(folder)
    .filter((name) => /\.[cS]$/.test(name))
    .sort()
    .map((name) => join(folder, name))

/** Paths of the applications that the project itself has. */
export const applications = () => sourcesIn(join(HERE, 'apps'))

/**
 * Compile one image.
 * @param {{ app: string, out: string, arch?: string, pages?: string }} options `app` is the application's C file, `out` the
 *   image's path, `pages` the folder of an HTTP server's files
 * @returns {{ path: string, bytes: number }}
 * @throws Error with the compiler's words, or when the image is too large
 */
export function buildUnikernel({ app, out, arch = 'x86_64', pages = join(HERE, 'pages') }) {
  const target = ARCHITECTURES[arch]
  if (target === undefined) throw new Error(`no architecture ${arch}: ${Object.keys(ARCHITECTURES).join(', ')}`)
  const folder = join(HERE, 'arch', arch)
  const work = mkdtempSync(`${out}.`)
  try {
    const linked = join(work, 'linked.elf')
    const pageTable = join(work, 'pages.s')
    writeFileSync(pageTable, pagesSource(pages))
    const sources = [...sourcesIn(HERE), ...sourcesIn(folder), app, pageTable]
    const options = [...COMMON, ...target.options, ...LINK, `-Wl,-T,${join(folder, 'guest.ld')}`, `-I${HERE}`]
    const result = spawnSync(target.compiler, [...options, '-o', linked, ...sources], { encoding: 'utf8' })
    if (result.status !== 0) throw new Error(`${target.compiler}: ${result.error?.message ?? result.stderr}`)
    const image = target.finish(readFileSync(linked))
    if (image.length > IMAGE_BYTES_MAX) {
      throw new Error(`${basename(out)} has ${image.length} bytes, which is more than ${IMAGE_BYTES_MAX}`)
    }
    writeFileSync(out, image)
    return { path: out, bytes: image.length }
  } finally {
    rmSync(work, { recursive: true })
  }
}

function main() {
  const { values, positionals } = parseArgs({
    options: {
      arch: { type: 'string', default: 'x86_64' },
      out: { type: 'string', default: join(HERE, 'build') },
      pages: { type: 'string', default: join(HERE, 'pages') },
    },
    allowPositionals: true,
  })
  mkdirSync(values.out, { recursive: true })
  for (const app of positionals.length > 0 ? positionals.map((path) => resolve(path)) : applications()) {
    const out = join(values.out, `conduit-${basename(app, '.c')}.elf`)
    const { bytes } = buildUnikernel({ app, out, arch: values.arch, pages: resolve(values.pages) })
    console.log(`${out}: ${bytes} bytes`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main()
  } catch (error) {
    console.error(`build:unikernel: ${error.message}`)
    process.exit(1)
  }
}
