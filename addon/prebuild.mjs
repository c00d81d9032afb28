// What the tarball carries for the addon: this platform's build, stripped, in prebuilds/, and the headers of node-addon-api,
// so that conduit-build needs no other package. `npm pack` runs it; other platforms' prebuilds are left as they are.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prebuildPath } from '../dist/src/native-file.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

function tool(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

/** The newest version of each library that the addon asks for, as `GLIBC_2.33`: older systems cannot load it. */
function needs(path) {
  const newest = new Map()
  for (const [version, library] of tool('objdump', ['-T', path]).matchAll(/\b(GLIBC|GLIBCXX|CXXABI)_[\d.]+/g)) {
    const known = newest.get(library)
    if (known === undefined || version.localeCompare(known, 'en', { numeric: true }) > 0) newest.set(library, version)
  }
  return [...newest.values()]
}

function shipAddon() {
  const shipped = join(root, prebuildPath())
  const partial = `${shipped}.${process.pid}`
  mkdirSync(dirname(shipped), { recursive: true })
  copyFileSync(join(root, 'build', 'Release', 'conduit.node'), partial)
  tool('strip', ['--strip-unneeded', partial])
  renameSync(partial, shipped)
  console.error(`conduit: ${prebuildPath()}: ${statSync(shipped).size} bytes, needs ${needs(shipped).join(', ')}`)
}

/** binding.gyp takes them from here in an installed package, and from node_modules in a checkout. */
function shipHeaders() {
  const from = createRequire(import.meta.url)('node-addon-api').include_dir
  const to = join(root, 'prebuilds', 'include')
  mkdirSync(to, { recursive: true })
  for (const name of ['napi.h', 'napi-inl.h', 'napi-inl.deprecated.h', 'LICENSE.md']) {
    copyFileSync(join(from, name), join(to, name))
  }
}

shipAddon()
shipHeaders()
