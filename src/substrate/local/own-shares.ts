// The pages that this process has granted to peers: made, registered with the hypervisor, and cleared on behalf of a
// peer that died with them mapped.
import { ControlType, NONE } from '../../../protocol/local-control.js'
import { type Domid, GREF_FIRST, type Gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { native, systemError } from '../../native.js'
import type { Share, ShareOptions } from '../substrate.js'
import type { Attachment } from './attachment.js'
import { hypercall } from './hypercall.js'
import { LocalPages } from './local-pages.js'
import type { OwnPorts } from './own-ports.js'

interface OwnShare {
  readonly pages: LocalPages
  readonly peer: Domid
  readonly memfd: number
  readonly registration: readonly number[]
  /** Bytes to clear when the peer dies, by its map id. */
  readonly mapped: Map<number, number>
}

/** First gref of the next share starts again from the lowest above this. */
const GREF_WRAP = 0xf000_0000

export class OwnShares {
  readonly #attachment: Attachment
  readonly #ports: OwnPorts
  readonly #shares = new Map<number, OwnShare>()
  #nextGref = GREF_FIRST

  constructor(attachment: Attachment, ports: OwnPorts) {
    this.#attachment = attachment
    this.#ports = ports
  }

  async share(peer: Domid, pages: number, options: ShareOptions): Promise<Share> {
    const firstGref = this.#takeGrefs(pages)
    const registration = [firstGref, pages, peer, options.access === 'r' ? 0 : 1, options.onUnmap?.byteOffset ?? NONE]
    const memfd = sharedFile(pages)
    let share: LocalPages
    try {
      share = new LocalPages({
        segments: [{ fd: memfd, firstPage: 0, pages }],
        writable: true,
        grefs: Array.from({ length: pages }, (_, index) => (firstGref + index) as Gref),
        notify: this.#ports.notification(options.onUnmap),
        onClose: () => {
          this.#shares.delete(firstGref)
          native().closeFd(memfd)
          this.#attachment.post(ControlType.UNGRANT, [firstGref])
        },
      })
    } catch (error) {
      native().closeFd(memfd)
      throw error
    }
    this.#shares.set(firstGref, { pages: share, peer, memfd, registration, mapped: new Map() })
    try {
      await hypercall(this.#attachment, ControlType.GRANT, registration, [memfd])
    } catch (error) {
      share.close()
      throw error
    }
    return share
  }

  /** A peer has mapped a share; its death is to clear the byte. */
  onMapped(firstGref: number, byteOffset: number, mapId: number): void {
    const share = this.#shares.get(firstGref)
    if (byteOffset < (share?.pages.bytes ?? 0)) share?.mapped.set(mapId, byteOffset)
  }

  /** The peer has unmapped, and cleared the byte itself. */
  onUnmapped(firstGref: number, mapId: number): void {
    this.#shares.get(firstGref)?.mapped.delete(mapId)
  }

  onDeath(domid: number): void {
    for (const { pages, peer, mapped } of this.#shares.values()) {
      if (peer !== domid) continue
      for (const byteOffset of mapped.values()) pages.clearByte(byteOffset)
      mapped.clear()
    }
  }

  /** Tell a new hypervisor what can still be mapped. */
  registerAgain(): void {
    for (const { registration, memfd } of this.#shares.values()) {
      this.#attachment.post(ControlType.GRANT, registration, [memfd])
    }
  }

  close(): void {
    for (const { pages } of this.#shares.values()) pages.close()
  }

  #takeGrefs(pages: number): number {
    const first = this.#nextGref
    this.#nextGref = first + pages >= GREF_WRAP ? GREF_FIRST : first + pages
    return first
  }
}

function sharedFile(pages: number): number {
  try {
    return native().memfdCreate('conduit', pages * PAGE_BYTES)
  } catch (cause) {
    throw systemError(cause, `make ${pages} pages of shared memory`, 'GRANT_LIMIT')
  }
}
