// The store of the chosen backend, for who only wants to look: attaches no domain and starts no local hypervisor.
import { runningLocalStore } from './local/running-store.js'
import { runtimeDirectory } from './local/runtime-dir.js'
import { type SubstrateOptions, selectBackend } from './select.js'
import { xenStore } from './xen/store-path.js'

/**
 * How to connect to the store; undefined where there is none for certain.
 * @throws RangeError; ConduitError RUNTIME_DIR, EINVAL
 */
export function runningStore({ backend, runtimeDir }: Pick<SubstrateOptions, 'backend' | 'runtimeDir'>) {
  if (selectBackend(backend) === 'xen') return xenStore()
  return runningLocalStore(runtimeDir ?? runtimeDirectory())
}
