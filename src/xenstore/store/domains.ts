// What the store knows of each domain besides its nodes: introduced or not, target, quotas, how much it uses.
import type { Domid } from '../../../protocol/xen.js'
import { XENSTORE_FEATURES } from '../../../protocol/xenstore-wire.js'
import type { StoreQuotas } from './quotas.js'

export interface DomainRecord {
  readonly domid: Domid
  introduced: boolean
  /** SET_TARGET */
  target: Domid | undefined
  quotas: StoreQuotas
  features: number
  /** Of all the domain's connections. */
  watches: number
  transactions: number
}

/** Feature bits this store has. */
export const STORE_FEATURES = XENSTORE_FEATURES.watchDepth

export class Domains {
  readonly #records = new Map<Domid, DomainRecord>()
  /** For domains that come from now on. */
  defaultQuotas: StoreQuotas

  constructor(defaultQuotas: StoreQuotas) {
    this.defaultQuotas = defaultQuotas
    this.record(0 as Domid).introduced = true
  }

  /** The record of a domain that is known. */
  find(domid: Domid): DomainRecord | undefined {
    return this.#records.get(domid)
  }

  /** The record, made when the domain is new. */
  record(domid: Domid): DomainRecord {
    const known = this.#records.get(domid)
    if (known !== undefined) return known
    const record: DomainRecord = {
      domid,
      introduced: false,
      target: undefined,
      quotas: this.defaultQuotas,
      features: STORE_FEATURES,
      watches: 0,
      transactions: 0,
    }
    this.#records.set(domid, record)
    return record
  }

  forget(domid: Domid): void {
    this.#records.delete(domid)
    for (const record of this.#records.values()) if (record.target === domid) record.target = undefined
  }
}
