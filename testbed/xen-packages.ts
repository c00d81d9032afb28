// What of Debian the testbed is made of: Xen, its tools and their libraries, a kernel that can be dom0, busybox.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Architecture, TARGETS } from './architecture.js'
import { aptOptions, cacheFolder, type DebianTree, debianTree } from './debian-packages.js'

/** Of Debian 12. */
export const XEN_VERSION = '4.17'

const PACKAGES = [
  `xen-utils-${XEN_VERSION}`,
  'xen-utils-common',
  'xenstore-utils',
  'libxen-dev',
  `libxenmisc${XEN_VERSION}`,
  'libxenstore4',
  'libxencall1',
  'libxenevtchn1',
  'libxenforeignmemory1',
  'libxengnttab1',
  'libxenhypfs1',
  'libxentoollog1',
  'libxendevicemodel1',
  'libxentoolcore1',
  'libyajl2',
  'libuuid1',
  'libext2fs2',
  'liblzma5',
  'libzstd1',
  'zlib1g',
  'libncurses6',
  'libtinfo6',
  'busybox-static',
]

/** What this machine itself provides where the architecture is its own, or what only one of them needs. */
const OTHERS: Record<Architecture, readonly string[]> = {
  x86_64: ['xz-utils'],
  arm64: ['libc6', 'libcrypt1', 'libfdt1', 'libgcc-s1', 'libstdc++6'],
}

/** The packages unpacked, or why they cannot be had. */
export function xenTree(architecture: Architecture): DebianTree | string {
  const kernel = kernelPackage(architecture)
  if ('problem' in kernel) return kernel.problem
  const hypervisor = `xen-hypervisor-${XEN_VERSION}-${TARGETS[architecture].debian}`
  return debianTree('xen', [hypervisor, ...PACKAGES, ...OTHERS[architecture], kernel.name], architecture)
}

/**
 * Which package Debian's kernel is in: chosen once and kept, so that a new one changes nothing under a cache in use.
 * Debian's cloud kernels are no choice: they are built without CONFIG_XEN_DOM0.
 */
function kernelPackage(architecture: Architecture): { readonly name: string } | { readonly problem: string } {
  const kept = join(cacheFolder(), architecture === 'x86_64' ? 'xen-kernel' : `xen-kernel-${architecture}`)
  if (existsSync(kept)) return { name: readFileSync(kept, 'utf8') }
  let name = askForKernel(architecture)
  if (name === undefined) {
    spawnSync('apt-get', [...aptOptions(architecture), 'update'], { stdio: 'ignore' })
    name = askForKernel(architecture)
  }
  if (name === undefined) {
    const metapackage = `linux-image-${TARGETS[architecture].debian}`
    return { problem: `apt-cache depends ${metapackage} must work here; as root, apt-get update` }
  }
  mkdirSync(cacheFolder(), { recursive: true, mode: 0o700 })
  writeFileSync(kept, name)
  return { name }
}

function askForKernel(architecture: Architecture): string | undefined {
  const metapackage = `linux-image-${TARGETS[architecture].debian}`
  const asked = spawnSync('apt-cache', [...aptOptions(architecture), 'depends', metapackage], { encoding: 'utf8' })
  return /Depends: (linux-image-\S+)/.exec(asked.stdout ?? '')?.[1]
}
