// C compiled with the machine's own compiler, once for each content: into the cache, under the hash of everything that went in.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cacheFolder } from './debian-packages.js'

export interface CompileOptions {
  /** The program's or library's file name. */
  readonly name: string
  /** A folder whose `.c` files make it; its `.h` files count as content. */
  readonly folder: string
  /** Other headers of the project that are included. */
  readonly headers?: readonly string[]
  /** For the compiler, sources apart: `-I`, `-l`, `-shared`. */
  readonly options: readonly string[]
}

const STRICT = ['-std=c11', '-O2', '-g', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-pthread']

/** What was compiled, or why it was not. */
export type Compiled = { readonly path: string } | { readonly failure: string }

export function compileC({ name, folder, headers = [], options }: CompileOptions): Compiled {
  const own = readdirSync(folder).sort()
  const sources = own.filter((file) => file.endsWith('.c')).map((file) => join(folder, file))
  const read = [...own.filter((file) => /\.[ch]$/.test(file)).map((file) => join(folder, file)), ...headers]
  const hash = createHash('sha256').update([...STRICT, ...options].join('\0'))
  for (const file of read) hash.update(file).update(readFileSync(file))
  const path = join(cacheFolder(), `c-${hash.digest('hex').slice(0, 16)}`, name)
  if (existsSync(path)) return { path }
  mkdirSync(dirname(path), { recursive: true })
  const made = `${path}.${process.pid}`
  // Libraries after the sources that need them.
  const result = spawnSync('cc', [...STRICT, '-o', made, ...sources, ...options], { encoding: 'utf8' })
  if (result.status !== 0) {
    rmSync(made, { force: true })
    return { failure: `cc must work here: ${result.error?.message ?? result.stderr}` }
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
