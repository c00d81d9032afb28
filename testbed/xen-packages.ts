// What of Debian the testbed is made of: Xen, its tools and their libraries, a kernel that can be dom0, busybox.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, type DebianTree, debianTree } from './debian-packages.js'

/** Of Debian 12. */
export const XEN_VERSION = '4.17'

const PACKAGES = [
  `xen-hypervisor-${XEN_VERSION}-amd64`,
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
  'xz-utils',
]

/** The packages unpacked, or why they cannot be had. */
export function xenTree(): DebianTree | string {
  const kernel = kernelPackage()
  return 'name' in kernel ? debianTree('xen', [...PACKAGES, kernel.name]) : kernel.problem
}

/**
 * Which package Debian's kernel is in: chosen once and kept, so that a new one changes nothing under a cache in use.
 * Debian's cloud kernels are no choice: they are built without CONFIG_XEN_DOM0.
 */
function kernelPackage(): { readonly name: string } | { readonly problem: string } {
  const kept = join(cacheFolder(), 'xen-kernel')
  if (existsSync(kept)) return { name: readFileSync(kept, 'utf8') }
  let name = askForKernel()
  if (name === undefined) {
    spawnSync('apt-get', ['update'], { stdio: 'ignore' })
    name = askForKernel()
  }
  if (name === undefined)
    return { problem: 'apt-cache depends linux-image-amd64 must work here; as root, apt-get update' }
  mkdirSync(cacheFolder(), { recursive: true, mode: 0o700 })
  writeFileSync(kept, name)
  return { name }
}

function askForKernel(): string | undefined {
  const asked = spawnSync('apt-cache', ['depends', 'linux-image-amd64'], { encoding: 'utf8' })
  return /Depends: (linux-image-\S+)/.exec(asked.stdout ?? '')?.[1]
}
