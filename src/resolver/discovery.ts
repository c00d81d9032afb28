// Asks DNS whether a name is a conduit of some host: SVCB at `_conduit.NAME`, and TXT for servers or networks that have none. What it
// says is compared with the own host by who asks; it is believed as much as an address would be.
import {
  type ConduitDiscovery,
  discoveryName,
  parseDiscoveryParams,
  parseDiscoveryTexts,
} from '../../protocol/conduit-discovery.js'
import type { DnsRecord, SvcbRecord } from '../../protocol/dns.js'
import { isConduitError } from '../errors.js'
import { followAliases } from './dns-aliases.js'
import { ask, type QueryDns } from './host-addresses.js'
import type { ResolutionSteps } from './resolution-steps.js'

export interface DiscoverOptions {
  readonly servers: readonly string[]
  readonly query: QueryDns
  readonly signal: AbortSignal
  readonly steps: ResolutionSteps
}

/** Every conduit that DNS tells of: one for each host that has the service. @throws the signal's reason only */
export async function discoverConduits(host: string, options: DiscoverOptions): Promise<readonly ConduitDiscovery[]> {
  const bySvcb = await discoverBy('SVCB', host, options)
  // A name that is not there has no TXT either (RFC 8020).
  if (bySvcb === 'no such name') return []
  if (bySvcb.length > 0) return bySvcb
  const byText = await discoverBy('TXT', host, options)
  return byText === 'no such name' ? [] : byText
}

async function discoverBy(
  type: 'SVCB' | 'TXT',
  host: string,
  { servers, query, signal, steps }: DiscoverOptions,
): Promise<readonly ConduitDiscovery[] | 'no such name'> {
  const name = discoveryName(host)
  const work = async (): Promise<readonly ConduitDiscovery[] | 'no such name'> => {
    const { rcode, answers } = await ask(name, type, { servers, query, signal })
    if (rcode === 'NXDOMAIN') return 'no such name'
    const { records } = followAliases(answers, name, type)
    return type === 'SVCB' ? fromSvcb(records) : fromText(records)
  }
  try {
    return await steps.wait(type === 'SVCB' ? 'svcb' : 'txt', work, (found) => tell(name, found))
  } catch (error) {
    // Nobody has to know of conduits: a server that fails here still has addresses.
    if (signal.aborted || !isConduitError(error)) throw error
    return []
  }
}

/** The lower priority first; priority 0 is an alias (RFC 9460 section 2.4.2), which no directory of ours writes. */
function fromSvcb(records: readonly DnsRecord[]): ConduitDiscovery[] {
  return records
    .filter((record): record is SvcbRecord => record.type === 'SVCB' && record.priority > 0)
    .sort((a, b) => a.priority - b.priority)
    .flatMap(({ params }) => parseDiscoveryParams(params) ?? [])
}

const fromText = (records: readonly DnsRecord[]): ConduitDiscovery[] =>
  records.flatMap((record) => (record.type === 'TXT' ? (parseDiscoveryTexts(record.texts) ?? []) : []))

function tell(asked: string, found: readonly ConduitDiscovery[] | 'no such name'): string {
  if (found === 'no such name') return `${asked}: no such name`
  const told = found.map(({ name, port, hostId }) => `conduit ${name}${port ? `:${port}` : ''} on host ${hostId}`)
  return `${asked}: ${told.join(', ') || 'nothing'}`
}
