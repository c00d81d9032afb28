// The architectures that the testbed's machine can have, and what of it depends on them. How QEMU starts each: qemu.ts.
import type { GuestType } from './guest.js'

export const ARCHITECTURES = ['x86_64', 'arm64'] as const
export type Architecture = (typeof ARCHITECTURES)[number]

export interface Target {
  /** Debian's word for it. */
  readonly debian: string
  /** GNU's, in the names of folders and compilers. */
  readonly triplet: string
  /** Where programs look for their dynamic loader: the folder of the path that the ABI prescribes. */
  readonly loaderFolder: string
  readonly guestTypes: readonly GuestType[]
  /** By what dom0 reaches QEMU's devices. */
  readonly virtioModule: string
}

export const TARGETS: Record<Architecture, Target> = {
  x86_64: {
    debian: 'amd64',
    triplet: 'x86_64-linux-gnu',
    loaderFolder: 'lib64',
    guestTypes: ['pv', 'pvh'],
    virtioModule: 'virtio_pci',
  },
  arm64: {
    debian: 'arm64',
    triplet: 'aarch64-linux-gnu',
    loaderFolder: 'lib',
    // Xen has one kind there (xl.cfg(5), `type`).
    guestTypes: ['pvh'],
    virtioModule: 'virtio_mmio',
  },
}

/** Of the machine that this program runs on: inside, that of the testbed's. */
export const OWN_ARCHITECTURE: Architecture = process.arch === 'arm64' ? 'arm64' : 'x86_64'
