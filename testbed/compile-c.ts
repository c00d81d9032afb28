// C and C++ compiled once for each content: into the cache, under the hash of everything that went in. With this machine's own
// compiler, or with a cross compiler for another architecture.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Architecture } from './architecture.js'
import { cacheFolder } from './debian-packages.js'
import { toolchain } from './toolchain.js'

export interface CompileOptions {
  /** The program's or library's file name. */
  readonly name: string
  /** A folder whose `.c` files (`.cc` for C++) make it; its `.h` files count as content. */
  readonly folder: string
  /** C unless given. */
  readonly language?: 'c' | 'c++'
  /** That of this machine unless given. */
  readonly architecture?: Architecture
  /** Other headers of the project that are included. */
  readonly headers?: readonly string[]
  /** For the compiler, sources apart: `-I`, `-l`, `-shared`. */
  readonly options: readonly string[]
}

const STRICT = ['-O2', '-g', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-pthread']
const LANGUAGES = {
  c: { suffix: '.c', standard: '-std=c11' },
  'c++': { suffix: '.cc', standard: '-std=c++20' },
}

/** What was compiled, or why it was not. */
export type Compiled = { readonly path: string } | { readonly failure: string }

export function compileC(given: CompileOptions): Compiled {
  const { name, folder, language = 'c', architecture = 'x86_64', headers = [], options } = given
  const tools = toolchain(architecture)
  if (typeof tools === 'string') return { failure: tools }
  const { suffix, standard } = LANGUAGES[language]
  const own = readdirSync(folder).sort()
  const sources = own.filter((file) => file.endsWith(suffix)).map((file) => join(folder, file))
  const read = [...own.filter((file) => /\.(c|cc|h)$/.test(file)).map((file) => join(folder, file)), ...headers]
  const strict = [...tools.options, standard, ...STRICT]
  const hash = createHash('sha256').update([architecture, language, ...strict, ...options].join('\0'))
  for (const file of read) hash.update(file).update(readFileSync(file))
  const path = join(cacheFolder(), `c-${hash.digest('hex').slice(0, 16)}`, name)
  if (existsSync(path)) return { path }
  mkdirSync(dirname(path), { recursive: true })
  const made = `${path}.${process.pid}`
  // Libraries after the sources that need them.
  const compiler = language === 'c' ? tools.c : tools.cxx
  const line = [...strict, '-o', made, ...sources, ...options]
  const result = spawnSync(compiler, line, { env: tools.environment, encoding: 'utf8' })
  if (result.status !== 0) {
    rmSync(made, { force: true })
    return { failure: `${compiler} must work here: ${result.error?.message ?? result.stderr}` }
  }
  renameSync(made, path)
  return { path }
}

/** Path of what was compiled. @throws Error with the compiler's words */
export function compiled(options: CompileOptions): string {
  const result = compileC(options)
  if ('path' in result) return result.path
  throw new Error(result.failure)
}
