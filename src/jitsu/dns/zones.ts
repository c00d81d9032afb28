// What the directory knows, as names with records: which names there are, of which zone, and whose service. Looks up, and builds an
// answer's bytes when it is asked for the first time; zone-builder.ts says what is in it.
import { DNS_CLASS_IN, DNS_META_TYPE, DNS_RCODE, type DnsRecord, parentKey, recordCode } from '../../../protocol/dns.js'
import type { Service } from '../summon.js'
import { type Answer, encodeAnswer } from './answer.js'
import type { Zone } from './zone.js'

/** A name that exists: with records, or because names below it have some. */
export class ZoneNode {
  readonly name: string
  readonly zone: Zone
  /** Whom a query for this name boots; whoever builds the zones says so. */
  service: Service | undefined
  readonly #records: DnsRecord[] = []
  readonly #answers = new Map<number, Answer>()
  #nodata: Answer | undefined

  constructor(name: string, zone: Zone) {
    this.name = name
    this.zone = zone
  }

  /** Before the first answer. */
  add(record: DnsRecord): void {
    this.#records.push(record)
  }

  /** What there is of that type, or that there is nothing (RFC 2308 2.2). As many are kept as there are types. */
  answer(type: number): Answer {
    const known = this.#answers.get(type)
    if (known !== undefined) return known
    const records =
      type === DNS_META_TYPE.ANY ? this.#any() : this.#records.filter((record) => recordCode(record) === type)
    if (records.length === 0) {
      this.#nodata ??= this.zone.denial(this.name, DNS_RCODE.NOERROR)
      return this.#nodata
    }
    const answer = encodeAnswer({ name: this.name, type, class: DNS_CLASS_IN }, DNS_RCODE.NOERROR, records, [])
    this.#answers.set(type, answer)
    return answer
  }

  /** Little for whoever asks for everything (RFC 8482 4.2). */
  #any(): DnsRecord[] {
    const { name, zone } = this
    const data = Buffer.from('\x07RFC8482\0', 'latin1')
    const hinfo = {
      name,
      type: 'OTHER',
      code: DNS_META_TYPE.HINFO,
      class: DNS_CLASS_IN,
      ttl: zone.soa.ttl,
      data,
    } as const
    return this.#records.length === 0 ? [] : [hinfo]
  }
}

/** The names by key. */
export class Zones {
  readonly #nodes: ReadonlyMap<string, ZoneNode>

  constructor(nodes: ReadonlyMap<string, ZoneNode>) {
    this.#nodes = nodes
  }

  node(key: string): ZoneNode | undefined {
    return this.#nodes.get(key)
  }

  /** That a name which no node has does not exist (RFC 2308 2.1), if it is in one of the zones. */
  nonexistence(key: string): Answer | undefined {
    for (let above = parentKey(key); above !== undefined; above = parentKey(above)) {
      const node = this.#nodes.get(above)
      if (node !== undefined) return node.zone.nonexistence(key)
    }
    return undefined
  }
}
