// A host by DNS: its addresses, and at the same time whether it is a conduit of this very host, which is better than TCP.
import type { ConduitDiscovery } from '../../protocol/conduit-discovery.js'
import { discoverConduits } from './discovery.js'
import {
  type Found,
  foundAddresses,
  foundEndpoint,
  missingPort,
  numericPort,
  sameService,
  wantedPort,
} from './found.js'
import type { AddressQuery, QueryDns } from './host-addresses.js'
import type { ResolutionSteps } from './resolution-steps.js'
import type { HostTarget } from './target.js'

export interface HostQuery {
  /** As it was written, for messages. */
  readonly text: string
  readonly target: HostTarget
  readonly signal: AbortSignal
  readonly steps: ResolutionSteps
}

export interface DnsWays {
  /** Asked for conduits. */
  readonly servers: readonly string[]
  readonly queryDns: QueryDns
  /** Undefined where no store can be asked. */
  readonly hostId: ((signal: AbortSignal) => Promise<string | undefined>) | undefined
  addresses(query: AddressQuery): Promise<readonly string[]>
  /** Resolves after so many milliseconds; an abort may reject it. */
  delay(ms: number, signal: AbortSignal): Promise<unknown>
}

/**
 * How much longer than the addresses the answer on conduits may take: a server that drops what it does not know must not hold up
 * every connection. As long as RFC 8305 section 8 gives one address before it tries the next.
 */
export const DISCOVERY_GRACE_MS = 250

/** @throws ConduitError EINVAL, ENOTFOUND, RESOLVER, ETIMEDOUT; the signal's reason */
export async function resolveByDns(query: HostQuery, ways: DnsWays): Promise<Found> {
  const { text, target, steps } = query
  const port = numericPort(target)
  const givenUp = new AbortController()
  const signal = AbortSignal.any([query.signal, givenUp.signal])
  const conduit = target.tcpOnly ? Promise.resolve(undefined) : ownConduit({ ...query, signal }, ways)
  conduit.catch(() => undefined)
  try {
    if (port === undefined) {
      const found = await conduit
      if (found === undefined) throw missingPort(text, target)
      return found
    }
    const ask = () => ways.addresses({ host: target.host, family: 0, signal })
    const addresses = steps.wait('addresses', ask, (found) => found.join(', '))
    return await better(conduit, addresses, port, (ms) => ways.delay(ms, signal))
  } finally {
    givenUp.abort()
  }
}

/** The conduit as soon as there is one, else the addresses once it is clear, or late enough, that there is none. */
async function better(
  conduit: Promise<Found | undefined>,
  addresses: Promise<readonly string[]>,
  port: number,
  delay: (ms: number) => Promise<unknown>,
): Promise<Found> {
  const addressesAreHere = addresses.then(
    () => undefined,
    () => undefined,
  )
  const early = await Promise.race([conduit, addressesAreHere])
  if (early !== undefined) return early
  let found: readonly string[]
  try {
    found = await addresses
  } catch (error) {
    const only = await conduit
    if (only === undefined) throw error
    return only
  }
  const late = await Promise.race([conduit, delay(DISCOVERY_GRACE_MS).then(() => undefined)])
  return late ?? foundAddresses(found, port)
}

/** The conduit that DNS tells of, if it is on this host and stands for the port that is wanted. @throws the signal's reason only */
async function ownConduit(query: HostQuery, ways: DnsWays): Promise<Found | undefined> {
  const { target, steps, signal } = query
  const { hostId, servers, queryDns } = ways
  if (hostId === undefined || servers.length === 0) return undefined
  const own = await steps
    .wait(
      'host-id',
      () => hostId(signal),
      (id) => id ?? 'no store here',
    )
    .catch(() => undefined)
  signal.throwIfAborted()
  if (own === undefined) return undefined
  const conduits = await discoverConduits(target.host, { servers, query: queryDns, signal, steps })
  const mine = conduits.find((conduit) => conduit.hostId === own && standsFor(conduit, target))
  for (const conduit of conduits) {
    steps.run(
      'compare',
      () => conduit,
      ({ name, hostId: other }) => {
        if (other !== own) return `conduit ${name} is on host ${other}, not on this one`
        return `conduit ${name} is on this host${standsFor(conduit, target) ? '' : `, for another port: ${conduit.port}`}`
      },
    )
  }
  if (mine === undefined) return undefined
  return foundEndpoint({ kind: 'vchan-name', name: mine.name, port: mine.port ?? wantedPort(target) })
}

/** A name's HTTP conduit is not its SSH: where both sides name a port they must mean the same. */
function standsFor({ port }: ConduitDiscovery, target: HostTarget): boolean {
  const wanted = wantedPort(target)
  return port === undefined || wanted === undefined || sameService(port, wanted)
}
