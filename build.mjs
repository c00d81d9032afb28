// Brings a clone up to date: installs what package-lock.json names, builds the addon (and, where a Xen is
// installed, the domain builder), compiles the TypeScript.
// Each step is skipped when its output is newer than its inputs. `--cmake` builds the addon with cmake-js
// instead (sanitizers, compile_commands.json); arguments after `--` go to it. Needs nothing but Node itself.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildAddon, nodeHeaders } from './addon/build-addon.mjs'
import { buildDomainBuilder, xenVersion } from './addon/build-domain-builder.mjs'
import { needsInstall } from './needs-install.mjs'

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

function install() {
  if (!needsInstall(root)) return
  run('installing dependencies', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
}

function buildWithCmake() {
  const extra = process.argv.includes('--') ? process.argv.slice(process.argv.indexOf('--') + 1) : []
  const require = createRequire(inRoot('package.json'))
  const script = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js')
  const { prefix, missing } = nodeHeaders()
  const headers = missing.length === 0 ? { npm_config_nodedir: prefix } : {}
  run('building the addon with cmake-js', process.execPath, [script, 'compile', '--out', 'build/cmake', ...extra], {
    env: { ...process.env, ...headers },
  })
}

function buildWithNodeGyp() {
  // Programs in folders of their own are no part of it.
  const inAddon = readdirSync(inRoot('addon'), { withFileTypes: true }).filter((entry) => entry.isFile())
  const sources = [...inAddon.map(({ name }) => inRoot('addon', name)), inRoot('binding.gyp')]
  if (newest(inRoot('build', 'Release', 'conduit.node')) >= newest(...sources)) return
  const say = (line) => console.error(`conduit: ${line}`)
  say('building the addon (addon/ to build/Release/conduit.node)')
  const problem = buildAddon(root, { strict: true, say })
  if (problem === undefined) return
  say(problem)
  process.exit(1)
}

/** Where a Xen is installed; elsewhere there is nothing that it could run on. */
function buildBuilder() {
  const program = inRoot('build', 'Release', 'conduit-domain-builder')
  if (newest(program) >= newest(inRoot('addon', 'domain-builder')) || xenVersion() === undefined) return
  const problem = buildDomainBuilder(root, { say: (line) => console.error(`conduit: ${line}`) })
  if (problem === undefined) return
  console.error(`conduit: ${problem}`)
  process.exit(1)
}

function compile() {
  const inputs = ['protocol', 'src', 'test', 'bench', 'testbed', 'tsconfig.json', 'package.json'].map((name) =>
    inRoot(name),
  )
  if (newest(inRoot('dist', '.tsbuildinfo')) >= newest(...inputs)) return
  const require = createRequire(inRoot('package.json'))
  const script = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  run('compiling TypeScript', process.execPath, [script, '-p', inRoot('tsconfig.json')])
}

install()
if (cmake) {
  buildWithCmake()
} else {
  buildWithNodeGyp()
  buildBuilder()
  compile()
}
