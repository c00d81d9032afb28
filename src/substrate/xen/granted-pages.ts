// The pages that this environment grants to others: allocated by gntalloc, which zeroes them, and freed by their unmapping.
// Keeps the books of who holds how many: the kernel's limit is for everybody.
import { readFileSync } from 'node:fs'
import { type Domid, type Gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { native, systemError } from '../../native.js'
import type { Share, ShareOptions } from '../substrate.js'
import type { Devices } from './devices.js'
import { XenPages } from './xen-pages.js'

/** linux, drivers/xen/gntalloc.c, module parameter `limit`: pages of the whole kernel. */
export const GRANT_LIMIT_PATH = '/sys/module/xen_gntalloc/parameters/limit'

/** The module's limit, or undefined where it cannot be read. */
export function readGrantLimit(path: string = GRANT_LIMIT_PATH): number | undefined {
  try {
    const limit = Number(readFileSync(path, 'utf8').trim())
    return Number.isSafeInteger(limit) ? limit : undefined
  } catch {
    return undefined
  }
}

export class GrantedPages {
  readonly #devices: Devices
  readonly #shares = new Map<XenPages, Domid>()

  constructor(devices: Devices) {
    this.#devices = devices
  }

  /** @throws ConduitError GRANT_LIMIT, MAPPING_FAILED, SUBSTRATE_UNAVAILABLE, SUBSTRATE_LOST, EMFILE; what the port rejects with */
  async share(peer: Domid, pages: number, options: ShareOptions): Promise<Share> {
    const port = await options.onUnmap?.port
    const fd = this.#devices.fd('gntalloc')
    const [index, ...grefs] = this.#allocate(fd, peer, pages, options.access !== 'r')
    try {
      const mapping = new (native().Mapping)(Float64Array.of(fd, index, pages * PAGE_BYTES), true)
      const share = new XenPages(mapping, grefs as Gref[], () => this.#shares.delete(share))
      try {
        // The kernel takes a reference on the port: closing it first does not silence the notification.
        if (port !== undefined) native().setUnmapNotify(fd, index + options.onUnmap!.byteOffset, port)
      } catch (error) {
        mapping.close()
        throw error
      }
      this.#shares.set(share, peer)
      return share
    } catch (cause) {
      throw systemError(cause, `map ${pages} pages granted to domain ${peer}`, 'MAPPING_FAILED')
    } finally {
      // Always: from here on the mapping alone keeps the pages, so that unmapping ends the grant, whoever unmaps.
      native().gntallocRelease(fd, index, pages)
    }
  }

  close(): void {
    for (const share of this.#shares.keys()) share.close()
  }

  #allocate(fd: number, peer: Domid, pages: number, writable: boolean): [number, ...number[]] {
    try {
      return native().gntallocAllocate(fd, peer, pages, writable)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') throw this.#limitReached(peer, pages, cause)
      throw systemError(cause, `grant ${pages} pages to domain ${peer}`, 'GRANT_LIMIT')
    }
  }

  #limitReached(peer: Domid, pages: number, cause: unknown): ConduitError {
    const held = new Map<Domid, number>()
    for (const [share, to] of this.#shares) held.set(to, (held.get(to) ?? 0) + share.bytes / PAGE_BYTES)
    const own = [...held.values()].reduce((sum, count) => sum + count, 0)
    const split = [...held].map(([to, count]) => `${count} to domain ${to}`).join(', ')
    const limit = readGrantLimit() ?? 'unknown'
    const message =
      `grant ${pages} pages to domain ${peer}: the kernel's limit of ${limit} is reached; ` +
      `this process holds ${own}${split === '' ? '' : ` (${split})`}, others and pages that peers still map hold the rest`
    return new ConduitError('GRANT_LIMIT', message, {
      errno: 'ENOSPC',
      syscall: 'ioctl(GNTALLOC_ALLOC_GREF)',
      domid: peer,
      hint: `raise it: echo 4096 > ${GRANT_LIMIT_PATH}; or ask for smaller rings (ringBytes)`,
      cause,
    })
  }
}
