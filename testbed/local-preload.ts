// testbed/preload as a library: with it in LD_PRELOAD, programs on Debian's libxenvchan use the local substrate.
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileC } from './compile-c.js'
import { PROJECT_ROOT } from './project.js'
import { type VchanPeer, vchanPeer } from './vchan-peer.js'

const HYPERVISOR = fileURLToPath(new URL('../src/cli/local-hypervisor.js', import.meta.url))

export interface LocalLibxenvchan {
  readonly peer: VchanPeer
  /** The library for LD_PRELOAD. */
  readonly preload: string
  /** Environment of a program that is to find its peers in `runtimeDir`, and to start a hypervisor there if need be. */
  environment(runtimeDir: string): NodeJS.ProcessEnv
}

/** Compiled once for each content; or why it cannot be had. */
export function localLibxenvchan(): LocalLibxenvchan | string {
  const peer = vchanPeer()
  if (typeof peer === 'string') return peer
  const protocol = join(PROJECT_ROOT, 'protocol')
  const compiled = compileC({
    name: 'libconduit-xen.so',
    folder: join(PROJECT_ROOT, 'testbed', 'preload'),
    headers: [join(protocol, 'conduit-protocol.h')],
    options: ['-shared', '-fPIC', '-fvisibility=hidden', `-I${protocol}`, `-isystem${peer.headers}`, '-ldl'],
  })
  if (!('path' in compiled)) return compiled.failure
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
  return {
    peer,
    preload: compiled.path,
    environment: (runtimeDir) => ({
      ...process.env,
      CONDUIT_RUNTIME_DIR: runtimeDir,
      CONDUIT_HYPERVISOR: `${quoted(process.execPath)} ${quoted(HYPERVISOR)}`,
      LD_PRELOAD: compiled.path,
      LD_LIBRARY_PATH: [peer.libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter),
    }),
  }
}
