// Pages, who granted them to whom, and who maps them. Both sides hold the same ArrayBuffer; a side that closes gets
// an empty one instead, so that views made too late fail.
import { markAsUntransferable } from 'node:worker_threads'
import { type Domid, type EvtchnPort, GREF_FIRST, type Gref, gref, PAGE_BYTES } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'
import type { Access, GrantBudget, Mapping, Share, UnmapNotify } from '../substrate.js'
import type { PortTable } from './port-table.js'

interface Grant {
  readonly owner: Domid
  readonly peer: Domid
  readonly access: Access
  readonly buffer: ArrayBuffer
  readonly page: number
}

interface PagesOptions {
  readonly buffer: ArrayBuffer
  readonly byteOffset: number
  readonly bytes: number
  readonly grefs: readonly Gref[]
  readonly label: string
  readonly onClose: (pages: MemoryPages) => void
}

class MemoryPages implements Share, Mapping {
  readonly bytes: number
  readonly grefs: readonly Gref[]
  readonly label: string
  /** Where these pages start in the buffer: one ArrayBuffer cannot alias the middle of another. */
  readonly byteOffset: number
  #buffer: ArrayBuffer
  #closed = false
  readonly #onClose: (pages: MemoryPages) => void

  constructor(options: PagesOptions) {
    this.#buffer = options.buffer
    this.byteOffset = options.byteOffset
    this.bytes = options.bytes
    this.grefs = options.grefs
    this.label = options.label
    this.#onClose = options.onClose
  }

  get buffer(): ArrayBuffer {
    return this.#buffer
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClose(this)
    this.#buffer = new ArrayBuffer(0)
  }
}

/** An UnmapNotify whose port is at hand. */
export interface PortNotify extends UnmapNotify {
  readonly port: EvtchnPort
}

interface Options {
  readonly access?: Access | undefined
  readonly onUnmap: PortNotify | undefined
}

interface Holding {
  readonly holder: Domid
  readonly onUnmap: PortNotify | undefined
  readonly end?: () => void
}

export class GrantTable {
  readonly #grants = new Map<Gref, Grant>()
  readonly #open = new Set<{ readonly pages: MemoryPages; readonly holder: Domid }>()
  readonly #ports: PortTable
  readonly #limit: number
  #nextGref = GREF_FIRST

  constructor(ports: PortTable, limit: number) {
    this.#ports = ports
    this.#limit = limit
  }

  share(owner: Domid, peer: Domid, pages: number, { access = 'rw', onUnmap }: Options): Share {
    if (!Number.isInteger(pages) || pages < 1) throw new RangeError(`share of ${pages} pages`)
    if (this.#grants.size + pages > this.#limit) {
      const hint = 'raise grantLimit, or use smaller rings'
      throw new ConduitError('GRANT_LIMIT', `${pages} pages over the limit of ${this.#limit}`, { hint, domid: owner })
    }
    const buffer = new ArrayBuffer(pages * PAGE_BYTES)
    markAsUntransferable(buffer)
    const grefs = Array.from({ length: pages }, () => gref(this.#nextGref++))
    for (const [page, ref] of grefs.entries()) this.#grants.set(ref, { owner, peer, access, buffer, page })
    const label = `domain ${owner} shares ${pages} pages with ${peer}`
    const end = (): void => {
      for (const ref of grefs) this.#grants.delete(ref)
    }
    const range = { buffer, byteOffset: 0, bytes: buffer.byteLength }
    return this.#hold({ ...range, grefs, label }, { holder: owner, onUnmap, end })
  }

  map(holder: Domid, owner: Domid, grefs: readonly Gref[], { access = 'rw', onUnmap }: Options): Mapping {
    const grants = grefs.map((ref) => this.#grantFor(holder, owner, ref, access))
    const [first] = grants
    if (first === undefined) throw new RangeError('map of no grant references')
    if (!grants.every((grant, i) => grant.buffer === first.buffer && grant.page === first.page + i)) {
      const hint = 'the memory substrate maps neighbouring pages of one share'
      throw new ConduitError('MAPPING_FAILED', `grants ${grefs.join(', ')} of domain ${owner}`, { hint, domid: owner })
    }
    const label = `domain ${holder} maps ${grefs.length} pages of ${owner}`
    const range = { buffer: first.buffer, byteOffset: first.page * PAGE_BYTES, bytes: grefs.length * PAGE_BYTES }
    return this.#hold({ ...range, grefs, label }, { holder, onUnmap })
  }

  budgetOf(owner: Domid): GrantBudget {
    const held = [...this.#grants.values()].filter((grant) => grant.owner === owner).length
    return { limit: this.#limit, held }
  }

  /** Close everything that a leaving domain still holds. */
  releaseAll(domid: Domid): void {
    for (const { pages, holder } of this.#open) if (holder === domid) pages.close()
  }

  leftovers(): string[] {
    return [...this.#open].map(({ pages }) => pages.label)
  }

  #grantFor(mapper: Domid, owner: Domid, ref: Gref, access: Access): Grant {
    const grant = this.#grants.get(ref)
    if (grant?.owner === owner && grant.peer === mapper && (access === 'r' || grant.access === 'rw')) return grant
    throw new ConduitError('GRANT_INVALID', `grant ${ref} of domain ${owner} for domain ${mapper}`, { domid: owner })
  }

  #hold(options: Omit<PagesOptions, 'onClose'>, { holder, onUnmap, end }: Holding): MemoryPages {
    const kick = onUnmap === undefined ? undefined : this.#ports.retain(holder, onUnmap.port)
    const onClose = (pages: MemoryPages): void => {
      this.#open.delete(entry)
      // Order as in the kernel: byte cleared, then the event, then the grant ended.
      if (onUnmap !== undefined) new Uint8Array(pages.buffer)[pages.byteOffset + onUnmap.byteOffset] = 0
      kick?.()
      end?.()
    }
    const pages = new MemoryPages({ ...options, onClose })
    const entry = { pages, holder }
    this.#open.add(entry)
    return pages
  }
}
