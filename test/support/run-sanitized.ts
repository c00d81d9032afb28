// Runs the tests of test/sanitize.mocharc.json on the addon that `build:cmake` made with AddressSanitizer and
// UndefinedBehaviorSanitizer. Every process they start writes what a sanitizer finds into one folder, also those whose
// stderr nobody reads; one report there and the run has failed.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A library of the compiler that built the addon. Preloaded: node itself knows nothing of sanitizers. */
function library(name: string): string {
  const path = execFileSync('c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()
  if (!existsSync(path)) throw new Error(`c++ has no ${name}: the sanitized tests need gcc and its libasan`)
  return path
}

/**
 * What `CONDUIT_ADDON` names: the sanitized addon where its libraries are preloaded, else the ordinary one. The local
 * hypervisor inherits nothing of the process that happens to start it, and so no preloads.
 */
function addonFor(folder: string): string {
  const built = (...parts: string[]): string => JSON.stringify(join(root, 'build', ...parts, 'Release', 'conduit.node'))
  const path = join(folder, 'addon.cjs')
  writeFileSync(path, `module.exports = require(process.env.LD_PRELOAD ? ${built('cmake')} : ${built()})`)
  return path
}

const folder = mkdtempSync(join(tmpdir(), 'conduit-sanitized-'))
const reports = join(folder, 'reports')
mkdirSync(reports)
const log = `log_path=${join(reports, 'report')}`
const mocha = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'bin', 'mocha.js')
const run = spawnSync(process.execPath, [mocha, '--config', 'test/sanitize.mocharc.json'], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    CONDUIT_ADDON: addonFor(folder),
    // The C++ library as well: AddressSanitizer looks for it at the start, when node has not loaded the addon yet.
    LD_PRELOAD: `${library('libasan.so')} ${library('libstdc++.so')}`,
    // Node frees little at its end; what the addon leaves is counted in test/native.
    ASAN_OPTIONS: `detect_leaks=0:${log}`,
    UBSAN_OPTIONS: `print_stacktrace=1:halt_on_error=1:${log}`,
  },
})
const found = readdirSync(reports)
for (const name of found) console.error(readFileSync(join(reports, name), 'utf8'))
rmSync(folder, { recursive: true })
if (found.length > 0) console.error(`${found.length} processes failed under a sanitizer`)
process.exit(found.length > 0 ? 1 : (run.status ?? 1))
