// The compiler for an architecture: this machine's own, or Debian's cross compiler, unpacked into the cache.
import { join } from 'node:path'
import type { Architecture } from './architecture.js'
import { TARGETS } from './architecture.js'
import { debianTree } from './debian-packages.js'

export interface Toolchain {
  readonly c: string
  readonly cxx: string
  readonly strip: string
  /** Before all other arguments of the compilers. */
  readonly options: readonly string[]
  readonly environment: NodeJS.ProcessEnv
}

/** gcc, binutils and the C and C++ libraries for arm64, and what they are linked with themselves. */
const CROSS_PACKAGES = [
  'gcc-12-aarch64-linux-gnu',
  'g++-12-aarch64-linux-gnu',
  'cpp-12-aarch64-linux-gnu',
  'binutils-aarch64-linux-gnu',
  'libc6-arm64-cross',
  'libc6-dev-arm64-cross',
  'libgcc-12-dev-arm64-cross',
  'libgcc-s1-arm64-cross',
  'libstdc++-12-dev-arm64-cross',
  'libstdc++6-arm64-cross',
  'linux-libc-dev-arm64-cross',
  'libgmp10',
  'libisl23',
  'libjansson4',
  'libmpc3',
  'libmpfr6',
  'libzstd1',
  'zlib1g',
]

const OWN: Toolchain = { c: 'cc', cxx: 'c++', strip: 'strip', options: [], environment: process.env }

/** The tools, or why they cannot be had. */
export function toolchain(architecture: Architecture): Toolchain | string {
  if (architecture === 'x86_64') return OWN
  const tree = debianTree('cross', CROSS_PACKAGES)
  if (typeof tree === 'string') return `a compiler for ${architecture} needed: ${tree}`
  const tool = (name: string) => join(tree.root, 'usr/bin', `${TARGETS[architecture].triplet}-${name}`)
  return {
    c: tool('gcc-12'),
    cxx: tool('g++-12'),
    strip: tool('strip'),
    // The link scripts name the C library by absolute paths.
    options: [`--sysroot=${tree.root}`],
    environment: { ...process.env, LD_LIBRARY_PATH: tree.libraries },
  }
}
