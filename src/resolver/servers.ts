// Which DNS servers are asked: those that were given, else CONDUIT_DNS, else the system's.
import { getServers } from 'node:dns'
import { parseDnsServerAddress } from './dns-server-address.js'

export interface DnsServers {
  /** `ADDR:PORT` or `[V6]:PORT`. */
  readonly servers: readonly string[]
  /** The system's own: then its resolver is asked for addresses, which has /etc/hosts and its order. */
  readonly system: boolean
}

/** The variable of the environment with a list of servers, commas between. */
export const DNS_VARIABLE = 'CONDUIT_DNS'

/** @throws ConduitError EINVAL for what is no server's address */
export function dnsServers(
  given: readonly string[] | undefined,
  { env = process.env, systemServers = getServers }: { env?: NodeJS.ProcessEnv; systemServers?: () => string[] } = {},
): DnsServers {
  const listed = env[DNS_VARIABLE]?.split(',').flatMap((text) => text.trim() || [])
  const named = given ?? (listed !== undefined && listed.length > 0 ? listed : undefined)
  if (named === undefined) return { servers: systemServers().map(withPort), system: true }
  return { servers: named.map((text) => parseDnsServerAddress(text).text), system: false }
}

/** Node leaves out port 53, and brackets with it. */
const withPort = (server: string): string => parseDnsServerAddress(server).text
