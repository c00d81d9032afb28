// The pages of other domains that this environment has mapped through gntdev.
import { type Domid, type Gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import { type NativeMapping, systemError } from '../../native.js'
import type { MapOptions, Mapping } from '../substrate.js'
import type { Devices } from './devices.js'
import { XenPages } from './xen-pages.js'

/** xen, tools/libs/gnttab/linux.c: a page that is paged out, tried again after a millisecond. */
const PAGED_OUT_PAUSE_MS = 1
/** libxengnttab has no end to it; a page that takes five seconds is not coming. */
const PAGED_OUT_ATTEMPTS = 5000

export class MappedPages {
  readonly #devices: Devices
  readonly #pause: (ms: number) => Promise<unknown>
  readonly #mappings = new Set<XenPages>()

  constructor(devices: Devices, pause: (ms: number) => Promise<unknown>) {
    this.#devices = devices
    this.#pause = pause
  }

  /** @throws ConduitError GRANT_INVALID, MAPPING_FAILED, SUBSTRATE_UNAVAILABLE, SUBSTRATE_LOST, EMFILE; what the port rejects with */
  async map(peer: Domid, grefs: readonly Gref[], options: MapOptions): Promise<Mapping> {
    const port = await options.onUnmap?.port
    const tried = `map ${grefs.length} pages of domain ${peer} (grant references from ${grefs[0]})`
    for (let attempt = 1; ; attempt++) {
      const fd = this.#devices.fd('gntdev')
      try {
        return this.#mapNow(fd, peer, grefs, { options, port })
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException
        // Paged out, or a signal came while the driver waited (a profiler's, say).
        const again = code === 'EAGAIN' || code === 'EINTR'
        if (!again || attempt === PAGED_OUT_ATTEMPTS) throw mapError(cause, tried, peer)
      }
      await this.#pause(PAGED_OUT_PAUSE_MS)
    }
  }

  close(): void {
    for (const mapping of this.#mappings) mapping.close()
  }

  #mapNow(
    fd: number,
    peer: Domid,
    grefs: readonly Gref[],
    { options, port }: { readonly options: MapOptions; readonly port: number | undefined },
  ): Mapping {
    const count = grefs.length
    const { native } = this.#devices
    const index = native.gntdevMap(fd, peer, Uint32Array.from(grefs))
    let mapped: NativeMapping | undefined
    try {
      // Only this asks the hypervisor: for reading alone where that was wished, so that it can never be written.
      mapped = new native.Mapping(Float64Array.of(fd, index, count * PAGE_BYTES), options.access === 'rw')
      if (port !== undefined) native.setUnmapNotify(fd, index + options.onUnmap!.byteOffset, port)
    } catch (error) {
      mapped?.close()
      this.#forget(fd, index, count)
      throw error
    }
    const pages = new XenPages(mapped, grefs, () => {
      this.#mappings.delete(pages)
      this.#forget(fd, index, count)
    })
    this.#mappings.add(pages)
    return pages
  }

  /** What is unmapped already: the kernel keeps the record, and with it the notification, until it is told. */
  #forget(fd: number, index: number, count: number): void {
    try {
      this.#devices.native.gntdevUnmap(fd, index, count)
    } catch {
      // No such record any more; closing is never refused.
    }
  }
}

/** By mmap the hypervisor says EINVAL to a reference that was never made, is over, or is for another domain, or writes what is read-only. */
function mapError(cause: unknown, tried: string, peer: Domid): ConduitError {
  if (cause instanceof ConduitError) return cause
  const { code: errno, syscall, message } = cause as NodeJS.ErrnoException
  if (errno !== 'EINVAL' || syscall !== 'mmap') return systemError(cause, tried, 'MAPPING_FAILED')
  return new ConduitError('GRANT_INVALID', `${tried}: ${message}`, {
    errno,
    syscall,
    domid: peer,
    hint: 'the granter has gone or never granted them to this domain',
    cause,
  })
}
