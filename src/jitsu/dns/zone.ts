// One zone: its SOA, and how it says that something is not there.
import { DNS_CLASS_IN, DNS_RCODE, DNS_TYPE, LABEL_BYTES_MAX, nameKey, type SoaRecord } from '../../../protocol/dns.js'
import { type Answer, encodeAnswer } from './answer.js'

export class Zone {
  readonly soa: SoaRecord
  readonly #apexBytes: number
  /** By the bytes in front of the apex: all that such an answer depends on, since its names point to the apex in the question. */
  readonly #nonexistence = new Map<number, Answer>()

  constructor(soa: SoaRecord) {
    this.soa = soa
    this.#apexBytes = nameKey(soa.name)!.length
  }

  get apex(): string {
    return this.soa.name
  }

  /** With the SOA, whose TTL says how long it may be believed (RFC 2308 3). */
  denial(name: string, rcode: number): Answer {
    const authority = { ...this.soa, ttl: Math.min(this.soa.ttl, this.soa.minimum) }
    return encodeAnswer({ name, type: DNS_TYPE.SOA, class: DNS_CLASS_IN }, rcode, [], [authority])
  }

  /** That the name of this key, in the zone and not its apex, does not exist (RFC 2308 2.1). */
  nonexistence(key: string): Answer {
    const bytes = key.length - this.#apexBytes
    const known = this.#nonexistence.get(bytes)
    if (known !== undefined) return known
    const answer = this.denial(`${placeholder(bytes)}.${this.apex}`, DNS_RCODE.NXDOMAIN)
    this.#nonexistence.set(bytes, answer)
    return answer
  }
}

/** Labels of so many bytes, two at least, to which no name of a SOA could point. */
function placeholder(bytes: number): string {
  const labels: string[] = []
  for (let left = bytes; left > 0; ) {
    const most = Math.min(left - 1, LABEL_BYTES_MAX)
    // One byte alone is no label.
    const length = left - most === 2 ? most - 1 : most
    labels.push('\\000'.repeat(length))
    left -= length + 1
  }
  return labels.join('.')
}
