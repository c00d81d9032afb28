// Which substrate: asked for by option or by CONDUIT_BACKEND, `local` otherwise. A composition root: the only place
// that knows them all.
import { fileURLToPath } from 'node:url'
import { ConduitError } from '../errors.js'
import { LocalSubstrate } from './local/local-substrate.js'
import { runtimeDirectory } from './local/runtime-dir.js'
import type { Substrate } from './substrate.js'

/**
 * `local`: the processes of one user on one machine, over shared memory. `xen`: domains; not part of this version,
 * SUBSTRATE_UNAVAILABLE.
 */
export type Backend = 'local' | 'xen'

/** Which substrate, and how to reach it. */
export interface SubstrateOptions {
  /** `CONDUIT_BACKEND` by default, else `local`. */
  readonly backend?: Backend | undefined
  /** Where the local hypervisor's sockets are: `CONDUIT_RUNTIME_DIR` by default, see the guide. */
  readonly runtimeDir?: string | undefined
  /** Milliseconds to reach or start the local hypervisor; 10,000 by default. */
  readonly attachTimeoutMs?: number | undefined
  /** Gives up reaching the local hypervisor, with the signal's reason. Once attached it has no effect. */
  readonly signal?: AbortSignal | undefined
}

const HYPERVISOR_ENTRY = fileURLToPath(new URL('../cli/local-hypervisor.js', import.meta.url))

/** @throws RangeError when the environment or the caller names no backend there is. */
export function selectBackend(wanted: string | undefined = process.env.CONDUIT_BACKEND): Backend {
  if (wanted === undefined || wanted === '' || wanted === 'local') return 'local'
  if (wanted === 'xen') return 'xen'
  throw new RangeError(`CONDUIT_BACKEND is local or xen, not ${JSON.stringify(wanted)}`)
}

/** @throws RangeError; ConduitError SUBSTRATE_UNAVAILABLE, RUNTIME_DIR, ADDON_MISSING; the signal's reason. */
export async function openSubstrate(options: SubstrateOptions = {}): Promise<Substrate> {
  const backend = selectBackend(options.backend)
  if (backend === 'xen') {
    throw new ConduitError('SUBSTRATE_UNAVAILABLE', 'the xen backend is not part of this version', {
      hint: 'unset CONDUIT_BACKEND, or set it to local, to connect processes of this machine',
    })
  }
  const directory = options.runtimeDir ?? runtimeDirectory()
  const timeoutMs = options.attachTimeoutMs === undefined ? {} : { timeoutMs: options.attachTimeoutMs }
  return LocalSubstrate.attach({ directory, entry: HYPERVISOR_ENTRY, signal: options.signal, ...timeoutMs })
}
