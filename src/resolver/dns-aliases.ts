// Which of the records in an answer are about the name that was asked for: its own, and those at the end of its aliases. What
// else a server puts into an answer is not believed.
import type { DnsRecord } from '../../protocol/dns.js'

/** Longest chain of aliases that is followed, in one answer or over several. */
export const ALIAS_HOPS = 8

export interface Aliased {
  /** Records of the wanted type. */
  readonly records: readonly DnsRecord[]
  /** The last name of the chain: the one to ask about when there are no records. */
  readonly name: string
  readonly hops: number
}

/** Follow the chain of CNAMEs from `name` as far as these answers go, at most `ALIAS_HOPS` of them. */
export function followAliases(answers: readonly DnsRecord[], name: string, type: DnsRecord['type']): Aliased {
  let current = name
  for (let hops = 0; ; hops++) {
    const own = answers.filter((record) => sameName(record.name, current))
    const records = own.filter((record) => record.type === type)
    const alias = own.find((record) => record.type === 'CNAME')
    if (records.length > 0 || alias?.type !== 'CNAME' || hops === ALIAS_HOPS) return { records, name: current, hops }
    current = alias.target
  }
}

/** DNS ignores the case of ASCII (RFC 4343). */
export const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
