// C programs for the machine, compiled here against Debian's unpacked headers and libraries; kept by what went into them.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { cacheFolder, type DebianTree } from './debian-packages.js'
import { libraryPath } from './shared-libraries.js'

const FLAGS = ['-std=gnu17', '-O2', '-g0', '-Wall', '-Wextra', '-Werror']

/** Path of the program. `includes` are folders beside Debian's own, whose headers belong to what is compiled. */
export function compileC(
  source: string,
  tree: DebianTree,
  options: { libraries?: string[]; includes?: string[] } = {},
) {
  const libraries = (options.libraries ?? []).map((name) => `-l${name}`)
  const includes = [...(options.includes ?? []), join(tree.root, 'usr/include')].map((folder) => `-I${folder}`)
  const key = createHash('sha256')
  for (const part of [preprocessed(source, includes), tree.root, ...FLAGS, ...libraries]) key.update(part).update('\0')
  const program = join(cacheFolder(), 'c', `${basename(source, '.c')}-${key.digest('hex').slice(0, 12)}`)
  if (existsSync(program)) return program
  mkdirSync(dirname(program), { recursive: true, mode: 0o700 })
  const paths = [`-L${tree.libraries}`, `-Wl,-rpath-link,${libraryPath(tree)}`]
  const partial = `${program}.${process.pid}`
  compiler([...FLAGS, ...includes, '-o', partial, source, ...paths, ...libraries], source)
  renameSync(partial, program)
  return program
}

/** All that the source includes is in it: a changed header is another program. */
function preprocessed(source: string, includes: readonly string[]): string {
  return readFileSync(source, 'utf8') + compiler(['-E', '-P', ...includes, source], source)
}

function compiler(args: readonly string[], source: string): string {
  const ran = spawnSync('cc', args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (ran.error !== undefined) throw new Error(`a C compiler, cc, must be here: ${ran.error.message}`)
  if (ran.status === 0) return ran.stdout
  const output = args.indexOf('-o')
  if (output >= 0) rmSync(args[output + 1]!, { force: true })
  throw new Error(`${source} does not compile:\n${ran.stderr.trim()}`)
}
