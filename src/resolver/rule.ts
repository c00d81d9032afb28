// What a suffix stands for: the resolver's static tables. Pure; what a rule leads to is worked out in resolver.ts.
import { isIP } from 'node:net'
import { type Endpoint, parseEndpointJson } from '../../protocol/endpoint.js'
import { parseEndpointText } from '../../protocol/endpoint-text.js'
import type { Service } from '../../protocol/service-names.js'

/** What is asked of a rule that is a function. */
export interface RuleQuery {
  /** In lower case, without a dot at its end. */
  readonly host: string
  /** Of the URI's scheme. */
  readonly service: Service | undefined
  /** TCP port: the one that was given, else the service's; undefined where there was neither. */
  readonly port: number | undefined
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/**
 * Where a host leads: `conduit`, the label before the suffix is a conduit name; `dns`, ask DNS; `loopback`, this machine; an IP
 * address, with the port that was asked for; an endpoint, as a value or in any text form; or a function that says so.
 */
export type ResolverRule = string | Endpoint | ((query: RuleQuery) => Endpoint | Promise<Endpoint>)

/** Rules that need nobody to be asked. */
export type FixedRule =
  | { readonly kind: 'conduit' }
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint }

export type ParsedRule =
  | FixedRule
  | { readonly kind: 'dns' }
  | { readonly kind: 'function'; readonly ask: (query: RuleQuery) => Endpoint | Promise<Endpoint> }

/** `localhost` never leaves the machine, whatever a DNS server says (RFC 6761 section 6.3). */
const LOOPBACK: readonly string[] = ['127.0.0.1', '::1']

/** @throws TypeError when it is none, naming where it stands */
export function parseRule(where: string, rule: ResolverRule): ParsedRule {
  if (typeof rule === 'function') return { kind: 'function', ask: rule }
  if (rule === 'conduit' || rule === 'dns') return { kind: rule }
  if (rule === 'loopback') return { kind: 'addresses', addresses: LOOPBACK }
  if (typeof rule === 'string' && isIP(rule) !== 0) return { kind: 'addresses', addresses: [rule] }
  const endpoint = typeof rule === 'string' ? parseEndpointText(rule) : parseEndpointJson(rule)
  if (!('problem' in endpoint)) return { kind: 'endpoint', endpoint }
  throw new TypeError(
    `${where}: ${endpoint.problem}: a rule is 'conduit', 'dns', 'loopback', an IP address, an endpoint or a function`,
  )
}
