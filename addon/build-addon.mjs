// Compiles the addon with node-gyp: addon/ to build/Release/conduit.node. For build.mjs in a checkout and for conduit-build
// in an installed package. Plain JavaScript, since it runs before anything is compiled; it installs nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The prefix of the running node, and which of its headers do not lie there: with all of them nothing has to be fetched. */
export function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath))
  const folder = join(prefix, 'include', 'node')
  const missing = ['node_api.h', 'uv.h', 'common.gypi'].filter((name) => !existsSync(join(folder, name)))
  return { prefix, folder, missing }
}

/** The package's own node-gyp (in a checkout, or added by its user), else the one inside npm, or Debian's. */
function findNodeGyp(root) {
  const script = join('node_modules', 'node-gyp', 'bin', 'node-gyp.js')
  const prefix = dirname(dirname(process.execPath))
  const candidates = [
    join(prefix, 'lib', 'node_modules', 'npm', script),
    join(prefix, 'share', 'nodejs', script.slice(13)),
  ]
  // npm tells whatever it runs where it lies itself: .../npm/bin/npm-cli.js.
  const { npm_execpath: npm } = process.env
  if (npm !== undefined && existsSync(npm)) candidates.unshift(join(dirname(dirname(realpathSync(npm))), script))
  try {
    const own = createRequire(join(root, 'package.json')).resolve('node-gyp/package.json')
    candidates.unshift(join(dirname(own), 'bin', 'node-gyp.js'))
  } catch {
    // Not installed beside us: npm's will do.
  }
  return candidates.find((path) => existsSync(path))
}

/**
 * Builds the addon of the package at `root`. `strict` makes warnings errors: for us, not for a user whose compiler is newer
 * than ours. Returns what went wrong, with the builder's output, or undefined.
 */
export function buildAddon(root, { strict, say }) {
  const script = findNodeGyp(root)
  if (script === undefined) return 'no node-gyp: neither npm nor node-gyp was found; npm install node-gyp adds it'
  const { prefix, folder, missing } = nodeHeaders()
  if (missing.length > 0) say(`no ${missing.join(', ')} in ${folder}: node-gyp will try to fetch node's headers`)
  const nodedir = missing.length > 0 ? [] : [`--nodedir=${prefix}`]
  const args = [script, 'rebuild', '--release', '--jobs=max', ...nodedir, '--', `-Dconduit_strict=${strict ? 1 : 0}`]
  const { status, error, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (status === 0) return undefined
  return `${stdout ?? ''}${stderr ?? ''}failed: ${process.execPath} ${args.join(' ')}${error ? ` (${error.message})` : ''}`
}
