// Xen's device nodes, opened when they are first needed and closed together. What is asked of them is the callers'.
import { ConduitError } from '../../errors.js'
import { type Native, systemError } from '../../native.js'

/** Nodes of the drivers in linux, drivers/xen, and the modules that make them. */
export const XEN_DEVICES = {
  evtchn: { path: '/dev/xen/evtchn', module: 'xen-evtchn' },
  gntdev: { path: '/dev/xen/gntdev', module: 'xen-gntdev' },
  gntalloc: { path: '/dev/xen/gntalloc', module: 'xen-gntalloc' },
  xenbus: { path: '/dev/xen/xenbus', module: 'xenfs' },
} as const
export type XenDevice = keyof typeof XEN_DEVICES

/** @throws ConduitError SUBSTRATE_UNAVAILABLE, EMFILE */
export function openDevice(addon: Native, device: XenDevice): number {
  const { path, module } = XEN_DEVICES[device]
  try {
    return addon.deviceOpen(path)
  } catch (cause) {
    const { code: errno, syscall, message } = cause as NodeJS.ErrnoException
    const refused = errno === 'EACCES' || errno === 'EPERM'
    if (!refused && errno !== 'ENOENT' && errno !== 'ENODEV' && errno !== 'ENXIO') {
      throw systemError(cause, `open ${path}`, 'SUBSTRATE_UNAVAILABLE')
    }
    const hint = refused
      ? 'this user may not open it: run as root, or give the node a group by a udev rule (conduit-cat doctor)'
      : `modprobe ${module}; only a Xen domain has it (conduit-cat doctor)`
    throw new ConduitError('SUBSTRATE_UNAVAILABLE', `open ${path}: ${message}`, { errno, syscall, hint, cause })
  }
}

/** The descriptors of one environment: one of each device, however much goes through it. */
export class Devices {
  readonly native: Native
  readonly #open = new Map<XenDevice, number>()
  #closed = false

  constructor(addon: Native) {
    this.native = addon
  }

  /** @throws ConduitError SUBSTRATE_UNAVAILABLE, SUBSTRATE_LOST once closed, EMFILE */
  fd(device: XenDevice): number {
    const known = this.#open.get(device)
    if (known !== undefined) return known
    if (this.#closed) {
      throw new ConduitError('SUBSTRATE_LOST', 'this environment was closed', { hint: 'open another one' })
    }
    const fd = openDevice(this.native, device)
    this.#open.set(device, fd)
    return fd
  }

  /** What is mapped stays mapped; ports end with their descriptor. */
  close(): void {
    this.#closed = true
    this.reopen()
  }

  /**
   * Begin anew: who needs a device from now on gets another descriptor. One that is to be kept open `forEver` is
   * nobody's from here on.
   */
  reopen(forEver?: XenDevice): void {
    for (const [device, fd] of this.#open) {
      if (device === forEver) this.native.releaseFd(fd)
      else this.native.closeFd(fd)
    }
    this.#open.clear()
  }
}
