// The one program that has to be installed on this machine: QEMU.
import { spawnSync } from 'node:child_process'
import type { Architecture } from './architecture.js'

/** The program, and Debian's package that has it. */
export const QEMU: Record<Architecture, { readonly program: string; readonly package: string }> = {
  x86_64: { program: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  arm64: { program: 'qemu-system-aarch64', package: 'qemu-system-arm' },
}

/** Install QEMU when it is missing and this is root; otherwise what is to be typed. */
export function requireQemu(architecture: Architecture): string | undefined {
  const qemu = QEMU[architecture]
  const hasQemu = () => spawnSync(qemu.program, ['--version'], { stdio: 'ignore' }).status === 0
  if (hasQemu()) return undefined
  const line = `apt-get install --no-install-recommends ${qemu.package}`
  if (process.getuid?.() !== 0) return `QEMU is missing; as root: ${line}`
  console.error('testbed: installing QEMU')
  const install = () =>
    spawnSync('apt-get', ['install', '-qq', '-y', '--no-install-recommends', qemu.package], {
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
