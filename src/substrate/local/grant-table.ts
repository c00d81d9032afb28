// What one domain has granted, as the local hypervisor records it: files, whole pages of them, each for one peer.
// Checks every reference that a peer asks for; maps nothing itself.
import { ControlStatus, NONE } from '../../../protocol/local-control.js'
import { GREF_FIRST, PAGE_BYTES } from '../../../protocol/xen.js'
import { native } from '../../native.js'

/** Most pages one domain may have granted at once: 4,096 channels with 256 KiB rings. */
export const MAX_GRANTED_PAGES = 4096 * 129

export interface GrantRecord {
  readonly firstGref: number
  readonly pages: number
  readonly peer: number
  readonly writable: boolean
  readonly notifyOffset: number
  readonly memfd: number
}

/** Consecutive pages of one grant. */
export interface GrantRun {
  readonly grant: GrantRecord
  readonly firstPage: number
  pages: number
}

export class GrantTable {
  readonly #byGref = new Map<number, GrantRecord>()
  readonly #byFirst = new Map<number, GrantRecord>()

  /** Takes over `memfd` when the answer is OK. */
  add(record: GrantRecord): ControlStatus {
    const { firstGref, pages, memfd } = record
    if (firstGref < GREF_FIRST || pages === 0 || firstGref + pages > NONE) return ControlStatus.BAD_GRANT
    if (this.#byGref.size + pages > MAX_GRANTED_PAGES) return ControlStatus.LIMIT
    for (let gref = firstGref; gref < firstGref + pages; gref++) {
      if (this.#byGref.has(gref)) return ControlStatus.BAD_GRANT
    }
    try {
      if (native().sealedBytes(memfd) < pages * PAGE_BYTES) return ControlStatus.BAD_GRANT
    } catch {
      return ControlStatus.BAD_GRANT
    }
    for (let gref = firstGref; gref < firstGref + pages; gref++) this.#byGref.set(gref, record)
    this.#byFirst.set(firstGref, record)
    return ControlStatus.OK
  }

  remove(firstGref: number): ControlStatus {
    const record = this.#byFirst.get(firstGref)
    if (record === undefined) return ControlStatus.BAD_GRANT
    for (let gref = firstGref; gref < firstGref + record.pages; gref++) this.#byGref.delete(gref)
    this.#byFirst.delete(firstGref)
    native().closeFd(record.memfd)
    return ControlStatus.OK
  }

  /** The runs behind `grefs` as `peer` may map them; undefined when one of them is not for it. */
  resolve(grefs: readonly number[], peer: number, writable: boolean): GrantRun[] | undefined {
    const runs: GrantRun[] = []
    for (const gref of grefs) {
      const grant = this.#byGref.get(gref)
      if (grant === undefined || grant.peer !== peer || (writable && !grant.writable)) return undefined
      const page = gref - grant.firstGref
      const last = runs.at(-1)
      if (last !== undefined && last.grant === grant && last.firstPage + last.pages === page) last.pages++
      else runs.push({ grant, firstPage: page, pages: 1 })
    }
    return runs
  }

  close(): void {
    for (const { memfd } of this.#byFirst.values()) native().closeFd(memfd)
    this.#byFirst.clear()
    this.#byGref.clear()
  }
}
