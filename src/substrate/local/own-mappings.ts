// The pages of peers that this process has mapped, and the bytes in them that are to be cleared when their owner dies.
import { ControlType, NONE } from '../../../protocol/local-control.js'
import type { Domid, Gref } from '../../../protocol/xen.js'
import { native } from '../../native.js'
import type { MapOptions, Mapping } from '../substrate.js'
import type { Acquaintance, Acquaintances } from './acquaintances.js'
import type { Attachment } from './attachment.js'
import { hypercall } from './hypercall.js'
import { LocalPages } from './local-pages.js'
import { mapSegments, ownerNotifyBytes } from './map-answer.js'
import type { OwnPorts } from './own-ports.js'

interface OwnMapping {
  readonly pages: LocalPages
  /** Undefined for this domain's own pages. */
  readonly owner: Acquaintance | undefined
  /** Bytes to clear when the owner dies, counted from the mapping's start. */
  readonly ownerBytes: readonly number[]
}

export class OwnMappings {
  readonly #attachment: Attachment
  readonly #ports: OwnPorts
  readonly #acquaintances: Acquaintances
  readonly #mappings = new Map<number, OwnMapping>()
  #nextMapId = 1

  constructor(attachment: Attachment, ports: OwnPorts, acquaintances: Acquaintances) {
    this.#attachment = attachment
    this.#ports = ports
    this.#acquaintances = acquaintances
  }

  async map(peer: Domid, grefs: readonly Gref[], options: MapOptions): Promise<Mapping> {
    const mapId = this.#nextMapId
    this.#nextMapId = (mapId % (NONE - 1)) + 1
    const writable = options.access === 'rw'
    const words = [peer, writable ? 1 : 0, options.onUnmap?.byteOffset ?? NONE, mapId, ...grefs]
    const answer = await hypercall(this.#attachment, ControlType.MAP, words)
    try {
      const notify = await this.#ports.notification(options.onUnmap)
      // Only now: whoever dies while we wait is not known any more, and nothing is mapped of it.
      const own = peer === this.#attachment.domid
      const owner = own ? undefined : this.#acquaintances.require(peer, 'GRANT_INVALID')
      const pages = new LocalPages({
        segments: mapSegments(answer, grefs.length),
        writable,
        grefs,
        notify,
        onClose: () => {
          this.#mappings.delete(mapId)
          this.#attachment.post(ControlType.UNMAP, [mapId])
        },
      })
      this.#mappings.set(mapId, { pages, owner, ownerBytes: ownerNotifyBytes(answer.words) })
      return pages
    } catch (error) {
      this.#attachment.post(ControlType.UNMAP, [mapId])
      throw error
    } finally {
      // The mapping keeps the memory; the descriptors have served.
      for (const fd of answer.fds) native().closeFd(fd)
    }
  }

  onDeath(dead: Acquaintance): void {
    for (const { pages, owner, ownerBytes } of this.#mappings.values()) {
      if (owner === dead) for (const byteOffset of ownerBytes) pages.clearByte(byteOffset)
    }
  }

  close(): void {
    for (const { pages } of this.#mappings.values()) pages.close()
  }
}
