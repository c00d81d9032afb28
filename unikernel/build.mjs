// The guest's images: `npm run build:unikernel` compiles each application of apps/ with what every guest needs, links it, and
// cuts the file down to what Xen loads. Arguments: paths of other applications, `--arch ARCHITECTURE`, `--out FOLDER`.
// Tests and the testbed import buildUnikernel. Needs a C compiler and nothing else.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { trimElf } from './trim-elf.mjs'

const HERE = import.meta.dirname

/** No image may be larger. */
export const IMAGE_BYTES_MAX = 16 << 10

const COMMON = [
  ...['-std=c11', '-Os', '-ffreestanding', '-fno-pic', '-fno-stack-protector', '-fno-asynchronous-unwind-tables'],
  // Otherwise memory.c's loops would become calls of themselves.
  ...['-fno-tree-loop-distribute-patterns', '-ffunction-sections', '-fdata-sections', '-fno-strict-aliasing'],
  ...['-Wall', '-Wextra', '-Werror'],
]
const LINK = ['-nostdlib', '-static', '-no-pie', '-s', '-Wl,--gc-sections', '-Wl,--build-id=none', '-Wl,-n']

/** How each architecture is compiled; its own sources and link script are in arch/ARCHITECTURE/. */
const ARCHITECTURES = {
  x86_64: {
    compiler: 'gcc',
    options: ['-m64', '-mno-red-zone', '-mgeneral-regs-only', '-fcf-protection=none'],
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
 * @param {{ app: string, out: string, arch?: string }} options `app` is the application's C file, `out` the image's path
 * @returns {{ path: string, bytes: number }}
 * @throws Error with the compiler's words, or when the image is too large
 */
export function buildUnikernel({ app, out, arch = 'x86_64' }) {
  const target = ARCHITECTURES[arch]
  if (target === undefined) throw new Error(`no architecture ${arch}: ${Object.keys(ARCHITECTURES).join(', ')}`)
  const folder = join(HERE, 'arch', arch)
  const work = mkdtempSync(`${out}.`)
  try {
    const linked = join(work, 'linked.elf')
    const sources = [...sourcesIn(HERE), ...sourcesIn(folder), app]
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
    options: { arch: { type: 'string', default: 'x86_64' }, out: { type: 'string', default: join(HERE, 'build') } },
    allowPositionals: true,
  })
  mkdirSync(values.out, { recursive: true })
  for (const app of positionals.length > 0 ? positionals.map((path) => resolve(path)) : applications()) {
    const out = join(values.out, `conduit-${basename(app, '.c')}.elf`)
    const { bytes } = buildUnikernel({ app, out, arch: values.arch })
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
