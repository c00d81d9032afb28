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
  /** In the order of their references, none overlapping: a grant costs the same whatever its number of pages. */
  readonly #grants: GrantRecord[] = []
  #pages = 0

  /** Takes over `memfd` when the answer is OK. */
  add(record: GrantRecord): ControlStatus {
    const { firstGref, pages, memfd } = record
    if (firstGref < GREF_FIRST || pages === 0 || firstGref + pages > NONE) return ControlStatus.BAD_GRANT
    if (this.#pages + pages > MAX_GRANTED_PAGES) return ControlStatus.LIMIT
    const at = this.#countBelow(firstGref + pages)
    if (at > 0 && endOf(this.#grants[at - 1]!) > firstGref) return ControlStatus.BAD_GRANT
    try {
      if (native().sealedBytes(memfd) < pages * PAGE_BYTES) return ControlStatus.BAD_GRANT
    } catch {
      return ControlStatus.BAD_GRANT
    }
    this.#grants.splice(at, 0, record)
    this.#pages += pages
    return ControlStatus.OK
  }

  remove(firstGref: number): ControlStatus {
    const at = this.#countBelow(firstGref)
    const record = this.#grants[at]
    if (record?.firstGref !== firstGref) return ControlStatus.BAD_GRANT
    this.#grants.splice(at, 1)
    this.#pages -= record.pages
    native().closeFd(record.memfd)
    return ControlStatus.OK
  }

  /** The runs behind `grefs` as `peer` may map them; undefined when one of them is not for it. */
  resolve(grefs: readonly number[], peer: number, writable: boolean): GrantRun[] | undefined {
    const runs: GrantRun[] = []
    for (const gref of grefs) {
      const last = runs.at(-1)
      const grant = last !== undefined && holds(last.grant, gref) ? last.grant : this.#find(gref)
      if (grant === undefined || grant.peer !== peer || (writable && !grant.writable)) return undefined
      const page = gref - grant.firstGref
      if (last !== undefined && last.grant === grant && last.firstPage + last.pages === page) last.pages++
      else runs.push({ grant, firstPage: page, pages: 1 })
    }
    return runs
  }

  close(): void {
    for (const { memfd } of this.#grants.splice(0)) native().closeFd(memfd)
    this.#pages = 0
  }

  #find(gref: number): GrantRecord | undefined {
    const record = this.#grants[this.#countBelow(gref + 1) - 1]
    return record !== undefined && holds(record, gref) ? record : undefined
  }

  /** How many grants begin below `gref`, by halving. */
  #countBelow(gref: number): number {
    let [from, to] = [0, this.#grants.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#grants[middle]!.firstGref < gref) from = middle + 1
      else to = middle
    }
    return from
  }
}

const endOf = ({ firstGref, pages }: GrantRecord): number => firstGref + pages

const holds = (record: GrantRecord, gref: number): boolean => gref >= record.firstGref && gref < endOf(record)
