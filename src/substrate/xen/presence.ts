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

/** The daemon's socket and the kernel's device, as far as this user may open them; the one that is used first. */
export function storePaths(root = '/', environment: NodeJS.ProcessEnv = process.env): string[] {
  const candidates = new Set([join(root, xenstoredSocket(environment)), join(root, XEN_DEVICES.xenbus.path)])
  return [...candidates].filter((path) => nodeState(path) === 'open')
}

/** A Xen domain, whose three devices and store this user may open. */
export function canUseXen(root = '/'): boolean {
  const open = (device: XenDevice) => nodeState(join(root, XEN_DEVICES[device].path)) === 'open'
  return isXenDomain(root) && VCHAN_DEVICES.every(open) && storePaths(root).length > 0
}
