// DNS answers out of a table, in the shape of the client's: for tests of who asks it.
import type { DnsRecord } from '../../protocol/dns.js'
import { ConduitError } from '../../src/errors.js'
import type { DnsAnswers, DnsQueryOptions } from '../../src/resolver/dns-client.js'
import type { QueryDns } from '../../src/resolver/host-addresses.js'

/** What a name and type answers: records, a failure, or nothing at all until the asker gives up. */
export type ZoneEntry = readonly DnsRecord[] | 'SERVFAIL' | 'silence'

export class DnsZone {
  /** `TYPE name`, in the order they were asked. */
  readonly asked: string[] = []
  /** Questions that still wait for an answer. */
  waiting = 0
  readonly #entries: Readonly<Record<string, ZoneEntry>>

  /** By `TYPE name`. A name without any entry does not exist. */
  constructor(entries: Readonly<Record<string, ZoneEntry>>) {
    this.#entries = entries
  }

  readonly query: QueryDns = async ({ name, type, servers, signal }: DnsQueryOptions): Promise<DnsAnswers> => {
    this.asked.push(`${type} ${name}`)
    const entry = this.#entries[`${type} ${name}`]
    if (entry === 'silence') await this.#silence(signal)
    if (entry === 'SERVFAIL') throw new ConduitError('RESOLVER', `${name}: SERVFAIL`)
    const exists = Object.keys(this.#entries).some((key) => key.endsWith(` ${name}`))
    const answers = entry === undefined || typeof entry === 'string' ? [] : entry
    return { rcode: exists ? 'NOERROR' : 'NXDOMAIN', answers, authenticated: false, server: servers[0] ?? '' }
  }

  async #silence(signal: AbortSignal | undefined): Promise<never> {
    this.waiting++
    try {
      return await new Promise<never>((_, reject) => {
        if (signal?.aborted) reject(signal.reason)
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    } finally {
      this.waiting--
    }
  }
}

const TTL = 60

export const a = (name: string, address: string): DnsRecord => ({ name, ttl: TTL, type: 'A', address })
export const aaaa = (name: string, address: string): DnsRecord => ({ name, ttl: TTL, type: 'AAAA', address })
export const cname = (name: string, target: string): DnsRecord => ({ name, ttl: TTL, type: 'CNAME', target })
export const txt = (name: string, ...texts: string[]): DnsRecord => ({
  name,
  ttl: TTL,
  type: 'TXT',
  texts: texts.map((text) => Buffer.from(text)),
})
export const svcb = (name: string, params: ReadonlyMap<number, Buffer>, priority = 1): DnsRecord => ({
  name,
  ttl: TTL,
  type: 'SVCB',
  priority,
  target: name.replace(/^_conduit\./, ''),
  params,
})
