// Which services jitsud has, and where they are.
import { parseServiceState, SERVICE_STATES_ROOT, serviceStatePath, servicesAmong } from '../../protocol/conduit.js'
import { isConduitError } from '../errors.js'
import type { XenstoreClient } from '../xenstore/client.js'

/** A service, running or not. */
export interface ServiceStateEntry {
  readonly name: string
  readonly state: 'stopped' | 'starting' | 'ready' | 'stopping'
}

/** Every service, sorted; none where no jitsud runs. */
export async function listServiceStates(store: XenstoreClient): Promise<ServiceStateEntry[]> {
  const children = await store.directory(SERVICE_STATES_ROOT).catch(nothing)
  const entries = servicesAmong(children ?? []).map(async (name) => {
    const text = await store.readText(serviceStatePath(name)).catch(nothing)
    const state = text === undefined ? undefined : parseServiceState(text)
    return state === undefined ? [] : [{ name, state }]
  })
  return (await Promise.all(entries)).flat().sort((a, b) => (a.name < b.name ? -1 : 1))
}

function nothing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
}
