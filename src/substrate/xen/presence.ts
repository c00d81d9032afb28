// Whether this process could live on Xen: the hypervisor below, the device nodes, a way to the store. Opens nothing.
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { xenstoredSocket } from '../../xenstore/xenstored-socket.js'
import { XEN_DEVICES, type XenDevice } from './devices.js'

/** Kernel's name of the hypervisor it runs on (Documentation/ABI/stable/sysfs-hypervisor-xen). */
const HYPERVISOR_TYPE_PATH = '/sys/hypervisor/type'
/** What a vchan needs at either end. */
export const VCHAN_DEVICES: readonly XenDevice[] = ['evtchn', 'gntdev', 'gntalloc']

/** @param root what stands for `/`, for tests */
export function isXenDomain(root = '/'): boolean {
  try {
    return readFileSync(join(root, HYPERVISOR_TYPE_PATH), 'utf8').trim() === 'xen'
  } catch {
    return false
  }
}

/** Missing, closed to this user, or fit to be opened. */
export function nodeState(path: string, access: typeof accessSync = accessSync): 'missing' | 'closed' | 'open' {
  try {
    access(path, constants.F_OK)
  } catch {
    return 'missing'
  }
  try {
    access(path, constants.R_OK | constants.W_OK)
    return 'open'
  } catch {
    return 'closed'
  }
}

export interface StoreChoice {
  readonly path: string
  readonly state: ReturnType<typeof nodeState>
}

/**
 * The daemon's socket in the domain where it runs, the kernel's device in every other: the first that this user may open,
 * else the first that is there, else the device. Whoever opens the store and whoever only looks ask here.
 */
export function chooseStore(
  root = '/',
  environment: NodeJS.ProcessEnv = process.env,
  look: typeof nodeState = nodeState,
): StoreChoice {
  const device = join(root, XEN_DEVICES.xenbus.path)
  const paths = [...new Set([join(root, xenstoredSocket(environment)), device])]
  const found = paths.map((path) => ({ path, state: look(path) }))
  const inState = (wanted: StoreChoice['state']) => found.find(({ state }) => state === wanted)
  return inState('open') ?? inState('closed') ?? { path: device, state: 'missing' }
}

/** A Xen domain, whose three devices and store this user may open. */
export function canUseXen(root = '/'): boolean {
  const open = (device: XenDevice) => nodeState(join(root, XEN_DEVICES[device].path)) === 'open'
  return isXenDomain(root) && VCHAN_DEVICES.every(open) && chooseStore(root).state === 'open'
}
