// The pages that this environment grants to others: allocated by gntalloc, which zeroes them, and freed by their unmapping.
// Keeps the books of who holds how many, since the kernel's limit is for everybody.
import { readFileSync } from 'node:fs'
import { type Domid, type Gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { type NativeMapping, systemError } from '../../native.js'
import type { GrantBudget, Share, ShareOptions } from '../substrate.js'
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
  readonly #readLimit: () => number | undefined
  readonly #shares = new Map<XenPages, Domid>()

  constructor(devices: Devices, readLimit: () => number | undefined) {
    this.#devices = devices
    this.#readLimit = readLimit
  }

  /** What others in this domain hold is known to the kernel alone. */
  get budget(): GrantBudget {
    return { limit: this.#readLimit() ?? Number.POSITIVE_INFINITY, held: this.#held }
  }

  /** @throws ConduitError GRANT_LIMIT, MAPPING_FAILED, SUBSTRATE_UNAVAILABLE, SUBSTRATE_LOST, EMFILE; what the port rejects with */
  async share(peer: Domid, pages: number, options: ShareOptions): Promise<Share> {
    const port = await options.onUnmap?.port
    const fd = this.#devices.fd('gntalloc')
    const { native } = this.#devices
    const [index, ...grefs] = this.#allocate(fd, peer, pages, options.access !== 'r')
    let mapping: NativeMapping | undefined
    try {
      try {
        mapping = new native.Mapping(Float64Array.of(fd, index, pages * PAGE_BYTES), true)
        // The kernel takes a reference on the port: closing it first does not silence the notification.
        if (port !== undefined) native.setUnmapNotify(fd, index + options.onUnmap!.byteOffset, port)
      } finally {
        // Always: from here on the mapping alone keeps the pages, so that unmapping ends the grant, whoever unmaps.
        native.gntallocRelease(fd, index, pages)
      }
    } catch (cause) {
      mapping?.close()
      throw systemError(cause, `map ${pages} pages granted to domain ${peer}`, 'MAPPING_FAILED')
    }
    const share = new XenPages(mapping, grefs as Gref[], () => this.#shares.delete(share))
    this.#shares.set(share, peer)
    return share
  }

  close(): void {
    for (const share of this.#shares.keys()) share.close()
  }

  #allocate(fd: number, peer: Domid, pages: number, writable: boolean): [number, ...number[]] {
    try {
      return this.#devices.native.gntallocAllocate(fd, peer, pages, writable)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') throw this.#limitReached(peer, pages, cause)
      throw systemError(cause, `grant ${pages} pages to domain ${peer}`, 'GRANT_LIMIT')
    }
  }

  get #held(): number {
    let held = 0
    for (const share of this.#shares.keys()) held += share.bytes / PAGE_BYTES
    return held
  }

  #limitReached(peer: Domid, pages: number, cause: unknown): ConduitError {
    const byPeer = new Map<Domid, number>()
    for (const [share, to] of this.#shares) byPeer.set(to, (byPeer.get(to) ?? 0) + share.bytes / PAGE_BYTES)
    const split = [...byPeer].map(([to, count]) => `${count} to domain ${to}`).join(', ')
    const message =
      `grant ${pages} pages to domain ${peer}: the limit of ${this.#readLimit() ?? 'unknown'} leaves no more; this ` +
      `process holds ${this.#held}${split === '' ? '' : ` (${split})`}, others and pages that peers still map hold the rest`
    const { syscall } = cause as NodeJS.ErrnoException
    return new ConduitError('GRANT_LIMIT', message, {
      errno: 'ENOSPC',
      syscall,
      domid: peer,
      hint: `raise the limit: echo 4096 > ${GRANT_LIMIT_PATH} (and Xen's own gnttab_max_frames where that is full); or ask for smaller rings (ringBytes)`,
      cause,
    })
  }
}
