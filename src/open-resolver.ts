// The resolver of the SDK: the one that asks this process's store which host it is on. Shared by connect(), lookup() and the Agents.
import { readHostId } from './resolver/host-id.js'
import { lookupBy } from './resolver/lookup.js'
import { Resolver } from './resolver/resolver.js'
import type { Resolution, ResolveOptions, ResolverOptions } from './resolver/resolver-options.js'
import type { SubstrateOptions } from './substrate/select.js'
import { runningStore } from './substrate/select-store.js'

/** What createResolver() takes: what it knows beside DNS, and whose store says which host this is. */
export interface ResolverSetup extends ResolverOptions, Pick<SubstrateOptions, 'backend' | 'runtimeDir'> {}

/**
 * A resolver of one's own, for connect(), createConnection() and the Agents.
 * @throws TypeError for a rule that is none; ConduitError EINVAL for what is no DNS server
 *
 * @example
 * const resolver = createResolver({ servers: ['127.0.0.1:5353'], rules: { 'db.example': 'unix:///run/db.sock' } })
 * const socket = await connect('http://www.example.org/', { resolver })
 */
export function createResolver(options: ResolverSetup = {}): Resolver {
  const { backend, runtimeDir, ...own } = options
  const hostId = async (signal: AbortSignal): Promise<string | undefined> => {
    const open = runningStore({ backend, runtimeDir })
    return open === undefined ? undefined : readHostId(open, signal)
  }
  return new Resolver({ ...own, hostId })
}

let shared: Resolver | undefined

/** The resolver for who brings none. */
export function sharedResolver(): Resolver {
  shared ??= createResolver()
  return shared
}

/** What resolveEndpoint() takes. */
export interface ResolveEndpointOptions extends ResolveOptions {
  /** One of your own; by default one with DNS as CONDUIT_DNS or the system says. */
  readonly resolver?: Resolver | undefined
}

/**
 * Where an address leads, and how that was found out: what connect() does before it connects. Opens nothing.
 * @throws TypeError when it is no string; ConduitError CONDUIT_NAME, EINVAL, ENOTFOUND, RESOLVER, ETIMEDOUT; the signal's reason
 *
 * @example
 * const { endpoint } = await resolveEndpoint('https://foo.xen/')
 * console.log(formatEndpoint(endpoint, 'sexp'))   // (TLS (foo.xen (Vchan_domain_socket (foo https))))
 */
export function resolveEndpoint(
  address: string,
  { resolver = sharedResolver(), ...options }: ResolveEndpointOptions = {},
): Promise<Resolution> {
  return resolver.resolve(address, options)
}

/**
 * Stands wherever dns.lookup can, in net.connect, http and undici: hosts of the resolver's rules have the addresses that these say,
 * everything else what DNS says. Errors are dns.lookup's. A resolver of your own has `lookup` too.
 *
 * @example
 * http.get({ host: 'www.example.org', lookup })
 */
export const lookup = lookupBy(sharedResolver)
