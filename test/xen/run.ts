// `npm run test:xen`: mocha over xen.test.ts. `--arch ARCHITECTURE` is this program's, all other arguments are mocha's.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../../testbed/project.js'

const given = process.argv.slice(2)
const at = given.indexOf('--arch')
const architecture = at < 0 ? [] : given.splice(at, 2).slice(1)
if (at >= 0 && architecture.length === 0) throw new TypeError('--arch needs x86_64 or arm64')

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')
const { status, signal } = spawnSync(
  process.execPath,
  [mocha, '--config', join(PROJECT_ROOT, 'test/xen.mocharc.json'), ...given],
  {
    cwd: PROJECT_ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...(architecture[0] === undefined ? {} : { CONDUIT_XEN_ARCH: architecture[0] }) },
  },
)
process.exitCode = signal === null ? (status ?? 1) : 1
