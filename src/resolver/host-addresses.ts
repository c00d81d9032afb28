// IP addresses of a host: from DNS servers that were named, or from the system's own resolver, which knows /etc/hosts too.
import { lookup as systemLookup } from 'node:dns/promises'
import type { DnsType } from '../../protocol/dns.js'
import { untilAborted } from '../conduit/deadline.js'
import { ConduitError, isConduitError } from '../errors.js'
import { ALIAS_HOPS, followAliases } from './dns-aliases.js'
import type { DnsAnswers, DnsQueryOptions } from './dns-client.js'

/** Which addresses are wanted: 4 or 6, or 0 for both. */
export type AddressFamily = 0 | 4 | 6

export type QueryDns = (options: DnsQueryOptions) => Promise<DnsAnswers>
export type SystemLookup = (
  host: string,
  options: { all: true; family: AddressFamily },
) => Promise<{ address: string }[]>

export interface AddressQuery {
  readonly host: string
  readonly family: AddressFamily
  readonly signal: AbortSignal
}

/**
 * From the system's resolver, in its order (RFC 6724).
 * @throws ConduitError ENOTFOUND, RESOLVER; the signal's reason
 */
export async function systemAddresses(
  { host, family, signal }: AddressQuery,
  lookup: SystemLookup = systemLookup,
): Promise<readonly string[]> {
  try {
    const found = await untilAborted(lookup(host, { all: true, family }), signal)
    return found.map(({ address }) => address)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw systemFailure(host, error as NodeJS.ErrnoException)
  }
}

/** IPv4 first, as ocaml-conduit asks. @throws ConduitError ENOTFOUND, RESOLVER, ETIMEDOUT, EINVAL; the signal's reason */
export async function serverAddresses(
  { host, family, signal }: AddressQuery,
  servers: readonly string[],
  query: QueryDns,
): Promise<readonly string[]> {
  if (servers.length === 0) {
    throw new ConduitError('RESOLVER', `${host}: there are no DNS servers to ask`, {
      endpoint: host,
      hint: 'name some in `servers` or in CONDUIT_DNS, or leave both out for those of the system',
    })
  }
  const types = (
    [
      ['A', 4],
      ['AAAA', 6],
    ] as const
  ).filter(([, of]) => family === 0 || family === of)
  const answers = await Promise.allSettled(
    types.map(([type]) => addressesOfType(host, type, { servers, signal, query })),
  )
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  if (addresses.length > 0) return addresses
  const failure = answers.find((answer) => answer.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  throw notFound(host)
}

interface Asking {
  readonly servers: readonly string[]
  readonly signal: AbortSignal
  readonly query: QueryDns
}

async function addressesOfType(host: string, type: 'A' | 'AAAA', asking: Asking): Promise<string[]> {
  let name = host
  for (let hops = 0; hops <= ALIAS_HOPS; hops++) {
    const { answers } = await ask(name, type, asking)
    const found = followAliases(answers, name, type)
    const addresses = found.records.flatMap((record) => (record.type === type ? [record.address] : []))
    if (addresses.length > 0 || found.hops === 0) return addresses
    // A server that resolves nothing for others leaves the rest of the chain to who asks.
    hops += found.hops - 1
    name = found.name
  }
  throw new ConduitError('RESOLVER', `${host}: more than ${ALIAS_HOPS} aliases`, {
    endpoint: host,
    hint: 'its CNAME records go in a circle, or are too many',
  })
}

export const ask = (name: string, type: DnsType, { servers, signal, query }: Asking): Promise<DnsAnswers> =>
  query({ servers, name, type, signal })

export const notFound = (host: string, hint = 'check its spelling, and which DNS servers are asked (CONDUIT_DNS)') =>
  new ConduitError('ENOTFOUND', `${host}: no such name, or no address`, {
    endpoint: host,
    syscall: 'getaddrinfo',
    hint,
  })

/** getaddrinfo says ENOTFOUND for NXDOMAIN and for no address of the family, EAI_AGAIN when no server answered. */
function systemFailure(host: string, cause: NodeJS.ErrnoException): ConduitError {
  if (isConduitError(cause)) return cause
  if (cause.code === 'ENOTFOUND') return notFound(host, "check its spelling, and the system's resolver")
  return new ConduitError('RESOLVER', `${host}: ${cause.message}`, {
    endpoint: host,
    errno: cause.code,
    syscall: cause.syscall,
    hint: 'the DNS servers of /etc/resolv.conf do not answer, or are not reachable',
    cause,
  })
}
