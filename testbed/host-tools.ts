// The one program that has to be installed on this machine: QEMU.
import { spawnSync } from 'node:child_process'

export const QEMU = 'qemu-system-x86_64'
const PACKAGES = ['qemu-system-x86']

/** Install QEMU when it is missing and this is root; otherwise what is to be typed. */
export function requireQemu(): string | undefined {
  if (hasQemu()) return undefined
  const line = `apt-get install --no-install-recommends ${PACKAGES.join(' ')}`
  if (process.getuid?.() !== 0) return `QEMU is missing; as root: ${line}`
  console.error('testbed: installing QEMU')
  const install = () =>
    spawnSync('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...PACKAGES], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      encoding: 'utf8',
    })
  let installed = install()
  if (installed.status !== 0) {
    spawnSync('apt-get', ['update'], { stdio: 'ignore' })
    installed = install()
  }
  if (hasQemu()) return undefined
  return `QEMU is missing, and ${line} failed: ${installed.error?.message ?? installed.stderr.trim()}`
}

function hasQemu(): boolean {
  return spawnSync(QEMU, ['--version'], { stdio: 'ignore' }).status === 0
}
