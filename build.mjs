// Brings a clone up to date: installs what package-lock.json names, builds the addon, compiles the TypeScript.
// Each step is skipped when its output is newer than its inputs. `--cmake` builds the addon with cmake-js
// instead (sanitizers, compile_commands.json); arguments after `--` go to it. Needs nothing but Node itself.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const inRoot = (...parts) => join(root, ...parts)
const cmake = process.argv.includes('--cmake')

/** Newest modification time below `paths`, in ms; 0 for what is not there. */
function newest(...paths) {
  let latest = 0
  for (const path of paths) {
    if (!existsSync(path)) continue
    const stat = statSync(path)
    const below = stat.isDirectory() ? newest(...readdirSync(path).map((name) => join(path, name))) : stat.mtimeMs
    latest = Math.max(latest, below)
  }
  return latest
}

function run(title, command, args, options = {}) {
  console.error(`conduit: ${title}`)
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  })
  if (result.status === 0) return
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  console.error(`conduit: failed: ${command} ${args.join(' ')}${result.error ? ` (${result.error.message})` : ''}`)
  process.exit(1)
}

/** The prefix of the running node, when its headers lie there: then nothing has to be fetched. */
function nodeDir() {
  const prefix = dirname(dirname(process.execPath))
  const wanted = ['node_api.h', 'uv.h', 'common.gypi']
  const missing = wanted.filter((name) => !existsSync(join(prefix, 'include', 'node', name)))
  if (missing.length === 0) return prefix
  const where = join(prefix, 'include', 'node')
  console.error(`conduit: no ${missing.join(', ')} in ${where}: node-gyp will try to fetch node's headers`)
  return undefined
}

/** npm's and node-gyp's settings, without what a parent npm hands down and a newer npm warns about. */
function buildEnvironment(prefix) {
  const env = { ...process.env }
  if (prefix !== undefined) env.npm_config_nodedir = prefix
  return env
}

function install() {
  const installed = newest(inRoot('node_modules', '.package-lock.json'))
  if (installed !== 0 && installed >= newest(inRoot('package-lock.json'))) return
  run('installing dependencies', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
}

function buildAddon() {
  const require = createRequire(inRoot('package.json'))
  const prefix = nodeDir()
  if (cmake) {
    const extra = process.argv.includes('--') ? process.argv.slice(process.argv.indexOf('--') + 1) : []
    const script = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js')
    const args = [script, 'compile', '--out', 'build/cmake', ...extra]
    run('building the addon with cmake-js', process.execPath, args, { env: buildEnvironment(prefix) })
    return
  }
  if (newest(inRoot('build', 'Release', 'conduit.node')) >= newest(inRoot('addon'), inRoot('binding.gyp'))) return
  const script = join(dirname(require.resolve('node-gyp/package.json')), 'bin', 'node-gyp.js')
  const args = [script, 'rebuild', '--release', ...(prefix === undefined ? [] : [`--nodedir=${prefix}`])]
  run('building the addon (addon/ to build/Release/conduit.node)', process.execPath, args, {
    env: buildEnvironment(prefix),
  })
}

function compile() {
  const inputs = ['protocol', 'src', 'test', 'bench', 'tsconfig.json', 'package.json'].map((name) => inRoot(name))
  if (newest(inRoot('dist', '.tsbuildinfo')) >= newest(...inputs)) return
  const require = createRequire(inRoot('package.json'))
  const script = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  run('compiling TypeScript', process.execPath, [script, '-p', inRoot('tsconfig.json')])
}

install()
buildAddon()
if (!cmake) compile()
