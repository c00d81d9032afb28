// From a name or URI to an endpoint: reads the text, finds the rule of the host's suffix, asks DNS and the store where the rule says
// so. Opens no channel and keeps nothing: what DNS said a moment ago is asked again.
import { isIP } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Endpoint, parseEndpointJson } from '../../protocol/endpoint.js'
import { formatEndpointUri } from '../../protocol/endpoint-uri.js'
import { untilAborted } from '../conduit/deadline.js'
import { type ConduitError, isConduitError } from '../errors.js'
import { queryDns } from './dns-client.js'
import {
  addressBelow,
  checkFound,
  conduitOf,
  type Found,
  foundAddresses,
  foundEndpoint,
  numericPort,
  tcpPort,
  tellService,
  tellTarget,
  withTls,
} from './found.js'
import { type AddressQuery, notFound, type QueryDns, serverAddresses, systemAddresses } from './host-addresses.js'
import { type LookupFunction, lookupBy } from './lookup.js'
import { ResolutionSteps } from './resolution-steps.js'
import { type HostQuery, resolveByDns } from './resolve-by-dns.js'
import type { AddressesOptions, Resolution, ResolveOptions, ResolverParts } from './resolver-options.js'
import { type FixedRule, type ParsedRule, parseRule, type RuleQuery } from './rule.js'
import { type DnsServers, dnsServers } from './servers.js'
import { type SuffixMatch, SuffixTable } from './suffix-table.js'
import { type HostTarget, parseTarget, type Target } from './target.js'
import { toldQueries } from './told-queries.js'

const NEVER = new AbortController().signal

/** Turns names and URIs into endpoints, by static tables, DNS and the store. */
export class Resolver {
  readonly #rules = new SuffixTable<ParsedRule>()
  readonly #options: ResolverParts

  /** Stands wherever dns.lookup can: hosts have the addresses that this resolver finds, errors are dns.lookup's. */
  readonly lookup: LookupFunction = lookupBy(() => this)

  /** For createResolver(). @throws TypeError for a rule that is none; ConduitError EINVAL for what is no DNS server @internal */
  constructor(options: ResolverParts = {}) {
    this.#options = options
    const rules = { '.xen': 'conduit', localhost: 'loopback', '': 'dns', ...options.rules }
    for (const [suffix, rule] of Object.entries(rules)) this.#rules.set(suffix, parseRule(suffix, rule))
    if (options.servers !== undefined) dnsServers(options.servers)
  }

  /**
   * Where `address` leads: a conduit name with or without port, `HOST:PORT`, a URI of a service such as `http://HOST/`,
   * `tcp://HOST:PORT`, `tls://HOST:PORT`, or an endpoint in any text form.
   * @throws TypeError when it is no string; ConduitError CONDUIT_NAME, EINVAL, ENOTFOUND, RESOLVER, ETIMEDOUT; the signal's reason
   */
  async resolve(address: string, { signal = NEVER, onStep }: ResolveOptions = {}): Promise<Resolution> {
    signal.throwIfAborted()
    const steps = new ResolutionSteps(this.#options.now ?? (() => performance.now()), onStep)
    try {
      const target = steps.run('read', () => parseTarget(address), tellTarget)
      const found =
        'endpoint' in target ? foundEndpoint(target.endpoint) : await this.#find(address, target, signal, steps)
      checkFound(address, found, 'tcpOnly' in target && target.tcpOnly)
      return { query: address, ...found, steps: steps.finish() }
    } finally {
      steps.finish()
    }
  }

  /**
   * The IP addresses of a host, by the same rules; what leads to a conduit or a unix socket has none.
   * @throws ConduitError ENOTFOUND, RESOLVER, ETIMEDOUT, EINVAL; the signal's reason
   */
  async addresses(host: string, { family = 0, signal = NEVER }: AddressesOptions = {}): Promise<readonly string[]> {
    signal.throwIfAborted()
    const name = hostOf(host)
    const fixed = await this.#fixedAddresses(name, signal)
    const found = fixed ?? (await this.#askForAddresses({ host: name, family, signal }))
    const addresses = found.filter((address) => family === 0 || isIP(address) === family)
    if (addresses.length === 0) throw notFound(host)
    return addresses
  }

  /**
   * Where it leads, as far as that can be told at once; undefined where somebody has to be asked.
   * @throws ConduitError as resolve()
   * @internal
   */
  known(text: string, target: Target): Endpoint | undefined {
    if ('endpoint' in target) return target.endpoint
    if (isIP(target.host) !== 0) return undefined
    const { suffix, value: rule } = this.#ruleFor(target.host)
    if (rule.kind === 'dns' || rule.kind === 'function') return undefined
    const found = withTls(target, fixed(rule, suffix, text, target))
    checkFound(text, found, target.tcpOnly)
    return found.endpoint
  }

  /**
   * Where DNS leads everybody who is on another host: the way that is left when nobody is behind the conduit that it told of. Undefined
   * where no DNS was asked, or it has no address.
   * @throws the signal's reason
   * @internal
   */
  async besideConduits(text: string, signal: AbortSignal): Promise<Found | undefined> {
    const target = parseTarget(text)
    if ('endpoint' in target || isIP(target.host) !== 0) return undefined
    const port = numericPort(target)
    if (port === undefined || this.#ruleFor(target.host).value.kind !== 'dns') return undefined
    const addresses = await this.#askForAddresses({ host: target.host, family: 0, signal }).catch((error: unknown) => {
      if (signal.aborted || !isConduitError(error)) throw error
      return []
    })
    return addresses.length === 0 ? undefined : withTls(target, foundAddresses(addresses, port))
  }

  /** Whether the addresses of this host are the system's resolver's business. @internal */
  asksSystem(host: string): boolean {
    const name = hostOf(host)
    return isIP(name) === 0 && this.#ruleFor(name).value.kind === 'dns' && this.#servers().system
  }

  /** Undefined where DNS is to be asked. */
  async #fixedAddresses(host: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
    if (isIP(host) !== 0) return [host]
    const rule = this.#ruleFor(host).value
    if (rule.kind === 'dns') return undefined
    if (rule.kind === 'addresses') return rule.addresses
    if (rule.kind === 'conduit') throw noAddress(host)
    const endpoint =
      rule.kind === 'endpoint'
        ? rule.endpoint
        : await askRule(rule, { host, service: undefined, port: undefined, signal })
    const address = addressBelow(endpoint)
    if (address === undefined) throw noAddress(host)
    return [address]
  }

  async #find(text: string, target: HostTarget, signal: AbortSignal, steps: ResolutionSteps): Promise<Found> {
    const { host } = target
    if (target.service !== undefined || target.port !== undefined) steps.run('service', () => target, tellService)
    if (isIP(host) !== 0) return withTls(target, foundAddresses([host], tcpPort(text, target)))
    const { suffix, value: rule } = steps.run(
      'rule',
      () => this.#ruleFor(host),
      (match) => tellRule(match.suffix, match.value),
    )
    return withTls(target, await this.#follow(rule, suffix, { text, target, signal, steps }))
  }

  async #follow(rule: ParsedRule, suffix: string, query: HostQuery): Promise<Found> {
    const { text, target, signal } = query
    if (rule.kind === 'dns') return this.#byDns(query)
    if (rule.kind !== 'function') return fixed(rule, suffix, text, target)
    const { host, service } = target
    return foundEndpoint(await askRule(rule, { host, service, port: numericPort(target), signal }))
  }

  #byDns(query: HostQuery): Promise<Found> {
    const { hostId, delay: wait = delay } = this.#options
    const ask = toldQueries(this.#options.queryDns ?? queryDns, query.steps)
    return resolveByDns(query, {
      servers: this.#servers().servers,
      queryDns: ask,
      hostId,
      addresses: (address) => this.#askForAddresses(address, ask),
      delay: (ms, signal) => wait(ms, undefined, { signal }),
    })
  }

  #askForAddresses(
    query: AddressQuery,
    ask: QueryDns = this.#options.queryDns ?? queryDns,
  ): Promise<readonly string[]> {
    const { servers, system } = this.#servers()
    if (system) return systemAddresses(query, this.#options.systemLookup)
    return serverAddresses(query, servers, ask)
  }

  /** Each time anew: the system's change with the network. */
  #servers(): DnsServers {
    return dnsServers(this.#options.servers)
  }

  #ruleFor(host: string): SuffixMatch<ParsedRule> {
    return this.#rules.longestMatch(host)!
  }
}

function fixed(rule: FixedRule, suffix: string, text: string, target: HostTarget): Found {
  switch (rule.kind) {
    case 'conduit':
      return foundEndpoint(conduitOf(text, suffix, target))
    case 'addresses':
      return foundAddresses(rule.addresses, tcpPort(text, target))
    case 'endpoint':
      return foundEndpoint(rule.endpoint)
  }
}

const hostOf = (host: string): string => host.toLowerCase().replace(/\.$/, '')

/** The answer is as untrusted as any: a rule may read it from a file. @throws what the rule throws; the signal's reason */
async function askRule(rule: Extract<ParsedRule, { kind: 'function' }>, query: RuleQuery): Promise<Endpoint> {
  const endpoint = parseEndpointJson(await untilAborted(Promise.resolve(rule.ask(query)), query.signal))
  if (!('problem' in endpoint)) return endpoint
  throw new TypeError(`the rule for ${query.host} answered with no endpoint: ${endpoint.problem}`)
}

const tellRule = (suffix: string, rule: ParsedRule): string => {
  const what =
    rule.kind === 'endpoint'
      ? formatEndpointUri(rule.endpoint)
      : rule.kind === 'addresses'
        ? rule.addresses.join(', ')
        : rule.kind
  return `${suffix === '' ? 'every host' : suffix}: ${what}`
}

const noAddress = (host: string): ConduitError =>
  notFound(host, 'it leads to no TCP: connect() and ConduitAgent take it, net.connect cannot')
