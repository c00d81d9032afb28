// Devices of domains that are gone, left by a jitsud that was killed before it could take them away: back ends, and what their
// scripts hold, such as loop devices. Known by a node of their own; others' are left alone.
import { domainPath } from '../../../protocol/conduit.js'
import { domid as domidOf, isDomid } from '../../../protocol/xen.js'
import { isConduitError } from '../../errors.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { DomainBuilder } from './domain-builder.js'
import { type DeviceSpec, MARK } from './xen-device-spec.js'
import { XenDevices, type XenDevicesParts } from './xen-devices.js'

export type SweepParts = Omit<XenDevicesParts, 'domid' | 'specs'> & { readonly builder: DomainBuilder }

/** How many it took away. @throws ConduitError */
export async function sweepDevices(parts: SweepParts): Promise<number> {
  let swept = 0
  for (const kind of ['vif', 'vbd'] as const) {
    const folder = `${domainPath(domidOf(0))}/backend/${kind}`
    for (const name of await namesIn(parts.store, folder)) {
      const domid = Number(name)
      if (!isDomid(domid) || (await parts.builder.exists(domid))) continue
      const specs = await markedIn(parts.store, kind, `${folder}/${name}`)
      await new XenDevices({ ...parts, domid, specs }).detach()
      swept += specs.length
    }
  }
  return swept
}

async function markedIn(store: XenstoreClient, kind: DeviceSpec['kind'], folder: string): Promise<DeviceSpec[]> {
  const specs: DeviceSpec[] = []
  for (const name of await namesIn(store, folder)) {
    const read = (node: string) => textAt(store, `${folder}/${name}/${node}`)
    const script = await read('script')
    if ((await read(MARK.node)) !== MARK.value || script === undefined) continue
    const vifname = await read('vifname')
    specs.push({ kind, number: Number(name), script, back: vifname === undefined ? {} : { vifname }, front: {} })
  }
  return specs
}

const namesIn = async (store: XenstoreClient, path: string): Promise<string[]> =>
  (await store.directory(path).catch(ifMissing)) ?? []

const textAt = (store: XenstoreClient, path: string): Promise<string | undefined> =>
  store.readText(path).catch(ifMissing)

function ifMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
  return undefined
}
