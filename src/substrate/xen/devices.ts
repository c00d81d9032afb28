// Xen's device nodes, opened when they are first needed and closed together. What is asked of them is the callers'.
import { ConduitError } from '../../errors.js'
import { native } from '../../native.js'

/** Nodes of the drivers in linux, drivers/xen, and the modules that make them. */
export const XEN_DEVICES = {
  evtchn: { path: '/dev/xen/evtchn', module: 'xen-evtchn' },
  gntdev: { path: '/dev/xen/gntdev', module: 'xen-gntdev' },
  gntalloc: { path: '/dev/xen/gntalloc', module: 'xen-gntalloc' },
  xenbus: { path: '/dev/xen/xenbus', module: 'xenfs' },
} as const
export type XenDevice = keyof typeof XEN_DEVICES

/** @throws ConduitError SUBSTRATE_UNAVAILABLE, EMFILE */
export function openDevice(device: XenDevice): number {
  const { path, module } = XEN_DEVICES[device]
  try {
    return native().deviceOpen(path)
  } catch (cause) {
    const { code: errno, syscall, message } = cause as NodeJS.ErrnoException
    const hints: Record<string, string> = {
      ENOENT: `modprobe ${module}; only a Xen domain has it (conduit-cat doctor)`,
      ENODEV: `modprobe ${module}; only a Xen domain has it (conduit-cat doctor)`,
      EACCES: `this user may not open it: give it a group by a udev rule, and the group rw (conduit-cat doctor)`,
      EMFILE: 'this process has too many files open: close some, or raise its limit (ulimit -n)',
    }
    const code = errno === 'EMFILE' ? 'EMFILE' : 'SUBSTRATE_UNAVAILABLE'
    throw new ConduitError(code, `open ${path}: ${message}`, { errno, syscall, hint: hints[errno ?? ''], cause })
  }
}

/** The descriptors of one environment: one of each device, however much goes through it. */
export class Devices {
  readonly #open = new Map<XenDevice, number>()
  #closed = false

  /** @throws ConduitError SUBSTRATE_UNAVAILABLE, SUBSTRATE_LOST once closed, EMFILE */
  fd(device: XenDevice): number {
    const known = this.#open.get(device)
    if (known !== undefined) return known
    if (this.#closed) {
      throw new ConduitError('SUBSTRATE_LOST', 'this environment was closed', { hint: 'open another one' })
    }
    const fd = openDevice(device)
    this.#open.set(device, fd)
    return fd
  }

  /** What is mapped stays mapped; ports end with their descriptor. */
  close(): void {
    this.#closed = true
    for (const fd of this.#open.values()) native().closeFd(fd)
    this.#open.clear()
  }
}
