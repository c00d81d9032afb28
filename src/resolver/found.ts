// What a rule leads to, and the ports and the TLS that a target asks for around it. Pure.
import { isIP } from 'node:net'
import { parseName } from '../../protocol/conduit-name.js'
import { type Endpoint, show, tlsEndpoint } from '../../protocol/endpoint.js'
import { formatEndpointUri } from '../../protocol/endpoint-uri.js'
import { serviceNamed } from '../../protocol/service-names.js'
import { ConduitError } from '../errors.js'
import { type HostTarget, noPort, type Target } from './target.js'

/** An endpoint, and every address of it where it ends in TCP. */
export interface Found {
  readonly endpoint: Endpoint
  readonly addresses: readonly string[]
}

/** An endpoint that was spelled out. */
export const foundEndpoint = (endpoint: Endpoint): Found => {
  const address = addressBelow(endpoint)
  return { endpoint, addresses: address === undefined ? [] : [address] }
}

/** `addresses` is not empty. */
export const foundAddresses = (addresses: readonly string[], port: number): Found => ({
  endpoint: { kind: 'tcp', address: addresses[0]!, port },
  addresses,
})

/** The IP address that an endpoint ends in. */
export function addressBelow(endpoint: Endpoint): string | undefined {
  if (endpoint.kind === 'tls') return addressBelow(endpoint.over)
  return endpoint.kind === 'tcp' ? endpoint.address : undefined
}

/** TLS around it where the target wants that, and it has none of its own. */
export function withTls({ host, tls }: HostTarget, found: Found): Found {
  if (!tls || found.endpoint.kind === 'tls' || found.endpoint.kind === 'unknown') return found
  const endpoint = tlsEndpoint(host, found.endpoint)
  if ('problem' in endpoint) throw new ConduitError('EINVAL', endpoint.problem, { endpoint: host, hint: endpoint.hint })
  return { ...found, endpoint }
}

/** The TCP port that was given, by number or by the name of a service, else the scheme's; undefined where there is none. */
export function numericPort({ port, service }: Pick<HostTarget, 'port' | 'service'>): number | undefined {
  if (port === undefined) return service?.port
  return /^[0-9]+$/.test(port) ? Number(port) : serviceNamed(port)?.port
}

/** @throws ConduitError EINVAL */
export function tcpPort(text: string, target: HostTarget): number {
  const port = numericPort(target)
  if (port === undefined) throw missingPort(text, target)
  return port
}

export function missingPort(text: string, { host, port }: HostTarget): ConduitError {
  if (port === undefined) return noPort(text, host)
  return new ConduitError('EINVAL', `${show(text)}: the TCP port of ${show(port)} is not known`, {
    endpoint: text,
    hint: 'give the number of the port',
  })
}

/** What is wanted as a port within a conduit name: the service, unless the port that was given is another one's. */
export function wantedPort({ port, service }: HostTarget): string | undefined {
  if (service === undefined || (port !== undefined && Number(port) !== service.port)) return port
  return service.name
}

/** `http` and `80` are the same port. */
export function sameService(a: string, b: string): boolean {
  const [numberA, numberB] = [a, b].map((port) => numericPort({ port, service: undefined }))
  return a === b || (numberA !== undefined && numberA === numberB)
}

/**
 * `foo.xen` is the conduit name foo, and the scheme's service its port: as ocaml-conduit does, a URI's number is left out
 * (`src/conduit-mirage/resolver_mirage.ml`, vchan_resolver).
 * @throws ConduitError CONDUIT_NAME; ENOTFOUND for who will have TCP only
 */
export function conduitOf(text: string, suffix: string, target: HostTarget): Endpoint {
  const { host, service, port, tcpOnly } = target
  const below = host.endsWith(suffix) ? host.slice(0, -suffix.length).replace(/\.$/, '') : ''
  const name = parseName(below)
  if (name === undefined) {
    throw new ConduitError('CONDUIT_NAME', `${show(host)}: ${show(below)} cannot be a conduit name`, {
      endpoint: text,
      hint: `one label stands before ${suffix}`,
    })
  }
  if (tcpOnly) throw notTcp(text, { kind: 'vchan-name', name, port })
  return { kind: 'vchan-name', name, port: service?.name ?? port }
}

/** @throws ConduitError RESOLVER for an endpoint that leads nowhere, ENOTFOUND for one that is no TCP where only that will do */
export function checkFound(text: string, { endpoint }: Found, tcpOnly: boolean): void {
  if (endpoint.kind === 'unknown') {
    throw new ConduitError('RESOLVER', `${show(text)} leads nowhere: ${endpoint.reason}`, {
      endpoint: text,
      hint: 'the rule for its suffix, or the endpoint itself, says so',
    })
  }
  if (tcpOnly && endpoint.kind !== 'tcp') throw notTcp(text, endpoint)
}

const notTcp = (text: string, { kind }: Endpoint): ConduitError =>
  new ConduitError('ENOTFOUND', `${show(text)} has no TCP address: it leads to ${kind}`, {
    endpoint: text,
    hint: 'leave out tcp:// to connect to whatever it leads to',
  })

/** For people. */
export function tellTarget(target: Target): string {
  if ('endpoint' in target) return formatEndpointUri(target.endpoint)
  const { host, service, port, tls } = target
  const wanted = service === undefined ? (port ?? 'no port') : `${service.name}, port ${port ?? service.port}`
  return `${isIP(host) === 0 ? 'host' : 'address'} ${host}, ${wanted}${tls ? ', over TLS' : ''}`
}

/** For people: which port the service has, and from where. */
export function tellService({ service, port, tls }: HostTarget): string {
  const protection = tls ? ', over TLS' : ''
  if (service !== undefined) {
    const number = port ?? service.port
    return `${service.name}: TCP port ${number}, ${port === undefined ? 'from the table of services' : 'as given'}${protection}`
  }
  const number = numericPort({ port, service })
  if (number === undefined) return `${port}: no TCP port is known for it`
  return `TCP port ${number}, ${port === String(number) ? 'as given' : `from the table of services: ${port}`}${protection}`
}
