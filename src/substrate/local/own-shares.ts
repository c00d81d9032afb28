// The pages that this process has granted to peers: made, registered with the hypervisor, and cleared on behalf of a
// peer that died with them mapped.
import { ControlType, NONE } from '../../../protocol/local-control.js'
import { type Domid, GREF_FIRST, type Gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { native, systemError } from '../../native.js'
import type { Share, ShareOptions } from '../substrate.js'
import type { Acquaintance } from './acquaintances.js'
import type { Attachment } from './attachment.js'
import type { ControlClient } from './control-client.js'
import { hypercall } from './hypercall.js'
import { LocalPages } from './local-pages.js'
import type { OwnPorts } from './own-ports.js'

/** A peer's mapping of a share: the byte to clear when the peer dies. */
interface PeerMapping {
  readonly byteOffset: number
  readonly mapper: Acquaintance | undefined
}

interface OwnShare {
  readonly pages: LocalPages
  readonly memfd: number
  readonly registration: readonly number[]
  /** By the mapper's map id. */
  readonly mapped: Map<number, PeerMapping>
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
    const granting = hypercall(this.#attachment, ControlType.GRANT, registration, [memfd])
    // Both settled before anything is undone: a refused reference must not be given back, a granted one must.
    const [granted, notified] = await Promise.allSettled([granting, this.#ports.notification(options.onUnmap)])
    try {
      if (granted.status === 'rejected') throw granted.reason
      if (notified.status === 'rejected') throw notified.reason
      const share = new LocalPages({
        segments: [{ fd: memfd, firstPage: 0, pages }],
        writable: true,
        grefs: Array.from({ length: pages }, (_, index) => (firstGref + index) as Gref),
        notify: notified.value,
        onClose: () => {
          this.#shares.delete(firstGref)
          native().closeFd(memfd)
          this.#attachment.post(ControlType.UNGRANT, [firstGref])
        },
      })
      // Only now: a new hypervisor is told of what the last one had accepted.
      this.#shares.set(firstGref, { pages: share, memfd, registration, mapped: new Map() })
      return share
    } catch (error) {
      native().closeFd(memfd)
      if (granted.status === 'fulfilled') this.#attachment.post(ControlType.UNGRANT, [firstGref])
      throw error
    }
  }

  /** A peer has mapped a share; the mapper's death is to clear the byte. */
  onMapped(firstGref: number, mapId: number, mapping: PeerMapping): void {
    const share = this.#shares.get(firstGref)
    if (mapping.byteOffset < (share?.pages.bytes ?? 0)) share?.mapped.set(mapId, mapping)
  }

  /** A mapper that is dead already. */
  clearByte(firstGref: number, byteOffset: number): void {
    const share = this.#shares.get(firstGref)
    if (byteOffset < (share?.pages.bytes ?? 0)) share?.pages.clearByte(byteOffset)
  }

  /** The peer has unmapped, and cleared the byte itself. */
  onUnmapped(firstGref: number, mapId: number): void {
    this.#shares.get(firstGref)?.mapped.delete(mapId)
  }

  onDeath(dead: Acquaintance): void {
    for (const { pages, mapped } of this.#shares.values()) {
      for (const [mapId, { byteOffset, mapper }] of mapped) {
        if (mapper !== dead) continue
        pages.clearByte(byteOffset)
        mapped.delete(mapId)
      }
    }
  }

  /** Tell a new hypervisor what can still be mapped. One after the other: nothing piles up that would need descriptors. */
  async registerAgain(hypervisor: ControlClient): Promise<void> {
    for (const { registration, memfd } of this.#shares.values()) {
      await hypervisor.request(ControlType.GRANT, registration, [memfd]).catch(forgoOne)
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

/** One that cannot be registered cannot be mapped anew; whoever has mapped it is not concerned. */
function forgoOne(): void {}

function sharedFile(pages: number): number {
  try {
    return native().memfdCreate('conduit', pages * PAGE_BYTES)
  } catch (cause) {
    throw systemError(cause, `make ${pages} pages of shared memory`, 'GRANT_LIMIT')
  }
}
