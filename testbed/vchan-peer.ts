// testbed/peers as a program: C on Debian's own libxenvchan, for Xen and for any machine (with the preload library).
import { join } from 'node:path'
import type { Architecture } from './architecture.js'
import { compileC } from './compile-c.js'
import { debianTree } from './debian-packages.js'
import { PROJECT_ROOT } from './project.js'

const PACKAGES = [
  'libxen-dev',
  'libxenmisc4.17',
  'libxenstore4',
  'libxengnttab1',
  'libxenevtchn1',
  'libxencall1',
  'libxentoolcore1',
  'libxentoollog1',
]

export interface VchanPeer {
  /** The program. */
  readonly path: string
  /** Xen's own libraries, for LD_LIBRARY_PATH. */
  readonly libraries: string
  /** Xen's headers, for others that are compiled against them. */
  readonly headers: string
}

/** Compiled once for each content; or why it cannot be had. */
export function vchanPeer(architecture: Architecture = 'x86_64'): VchanPeer | string {
  const tree = debianTree('libxenvchan', PACKAGES, architecture)
  if (typeof tree === 'string') return `libxenvchan needed: ${tree}`
  const headers = join(tree.root, 'usr', 'include')
  const compiled = compileC({
    name: 'vchan-peer',
    architecture,
    folder: join(PROJECT_ROOT, 'testbed', 'peers'),
    options: [
      `-isystem${headers}`,
      `-L${tree.libraries}`,
      `-Wl,-rpath-link,${tree.libraries}`,
      '-lxenvchan',
      '-lxenstore',
    ],
  })
  return 'path' in compiled ? { path: compiled.path, libraries: tree.libraries, headers } : compiled.failure
}
