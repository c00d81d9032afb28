// Writes each question to a DNS server down as a step of the resolution: whom, for what, and what came back.
import type { DnsRecord, SvcbRecord } from '../../protocol/dns.js'
import { show } from '../../protocol/endpoint.js'
import type { QueryDns } from './host-addresses.js'
import type { ResolutionSteps } from './resolution-steps.js'

/** The same questions, told as they are answered. */
export const toldQueries =
  (query: QueryDns, steps: ResolutionSteps): QueryDns =>
  (options) =>
    steps.wait(
      'query',
      () => query(options),
      ({ rcode, answers, server }) => {
        const told = answers.slice(0, SHOWN).map(tellRecord)
        if (answers.length > SHOWN) told.push(`and ${answers.length - SHOWN} more`)
        return `${options.type} ${options.name} from ${server}: ${rcode}${told.length === 0 ? ', no records' : `, ${told.join(', ')}`}`
      },
      (why) => `${options.type} ${options.name} from ${options.servers.join(', ')}: ${why}`,
    )

/** An answer may have thousands of records: a line for people has these. */
const SHOWN = 8

function tellRecord(record: DnsRecord): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.address
    case 'TXT':
      return record.texts.map((text) => show(text.toString('latin1'))).join(' ')
    case 'CNAME':
      return `alias of ${record.target}`
    case 'SVCB':
      return `SVCB ${record.priority} ${record.target} ${tellParams(record)}`.trimEnd()
    default:
      return record.type
  }
}

const tellParams = ({ params }: Pick<SvcbRecord, 'params'>): string =>
  [...params].map(([key, value]) => `key${key}=${show(value.toString('latin1'))}`).join(' ')
