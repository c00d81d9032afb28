// Which substrate: asked for by option or by CONDUIT_BACKEND, else what this machine is. A composition root: the only place
// that knows them all.
import { fileURLToPath } from 'node:url'
import { LocalSubstrate } from './local/local-substrate.js'
import { runtimeDirectory } from './local/runtime-dir.js'
import type { Substrate } from './substrate.js'
import { canUseXen } from './xen/presence.js'
import { XenSubstrate } from './xen/xen-substrate.js'

/**
 * `local`: the processes of one user on one machine, over shared memory. `xen`: the domains of one host, over granted
 * pages and event channels.
 */
export type Backend = 'local' | 'xen'

/** Which substrate, and how to reach it. */
export interface SubstrateOptions {
  /**
   * `CONDUIT_BACKEND` by default. Where that says nothing: `xen` in a Xen domain (`/sys/hypervisor/type`) whose
   * `/dev/xen/{evtchn,gntdev,gntalloc}` and store (xenstored's socket or `/dev/xen/xenbus`) this user may open, else `local`.
   */
  readonly backend?: Backend | undefined
  /** Where the local hypervisor's sockets are: `CONDUIT_RUNTIME_DIR` by default, see the guide. */
  readonly runtimeDir?: string | undefined
  /** Milliseconds to reach or start the local hypervisor, or for Xen's store to answer; 10,000 by default. */
  readonly attachTimeoutMs?: number | undefined
  /** Gives up reaching the local hypervisor or the store, with the signal's reason. Later it has no effect. */
  readonly signal?: AbortSignal | undefined
}

const HYPERVISOR_ENTRY = fileURLToPath(new URL('../cli/local-hypervisor.js', import.meta.url))

/**
 * @param onXen whether this process could live on Xen; asked where nobody chose
 * @throws RangeError when the environment or the caller names no backend there is.
 */
export function selectBackend(
  wanted: string | undefined = process.env.CONDUIT_BACKEND,
  onXen: () => boolean = canUseXen,
): Backend {
  if (wanted === undefined || wanted === '') return onXen() ? 'xen' : 'local'
  if (wanted === 'local' || wanted === 'xen') return wanted
  throw new RangeError(`CONDUIT_BACKEND is local or xen, not ${JSON.stringify(wanted)}`)
}

/** @throws RangeError; ConduitError SUBSTRATE_UNAVAILABLE, RUNTIME_DIR, ADDON_MISSING; the signal's reason. */
export async function openSubstrate(options: SubstrateOptions = {}): Promise<Substrate> {
  const { attachTimeoutMs, signal } = options
  const backend = selectBackend(options.backend)
  if (backend === 'xen') return XenSubstrate.open({ timeoutMs: attachTimeoutMs, signal })
  const directory = options.runtimeDir ?? runtimeDirectory()
  const timeoutMs = attachTimeoutMs === undefined ? {} : { timeoutMs: attachTimeoutMs }
  return LocalSubstrate.attach({ directory, entry: HYPERVISOR_ENTRY, signal, ...timeoutMs })
}
