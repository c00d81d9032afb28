// Endpoints as URIs: `tcp://10.0.0.1:80`, `unix:///path`, `vchan://3/http`, `vchan://foo/http`, `unknown:reason`, and with
// `tls+` in front and `?host=NAME` behind for each TLS around one, the outermost host first. Host names are the resolver's.
import { isIPv6 } from 'node:net'
import {
  ENDPOINT_CHARS,
  type Endpoint,
  type EndpointProblem,
  endpointProblem,
  show,
  TLS_DEPTH,
  tcpEndpoint,
  tlsEndpoint,
  unixEndpoint,
  unknownEndpoint,
  vchanDirectEndpoint,
  vchanNameEndpoint,
} from './endpoint.js'

export const ENDPOINT_URI_FORMS =
  'tcp://ADDRESS:PORT, unix:///PATH, vchan://DOMID/PORT, vchan://NAME, vchan://NAME/PORT, tls+URI?host=NAME or unknown:REASON'

/** Characters that a path keeps as they are (RFC 3986 section 3.3, pchar). */
const NOT_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/gu

const encodeText = (text: string): string => text.replace(NOT_IN_PATH, encodeURIComponent)

/** The URI; {@link parseEndpointUri} reads it back. */
export function formatEndpointUri(endpoint: Endpoint): string {
  const hosts: string[] = []
  let inner = endpoint
  while (inner.kind === 'tls') {
    hosts.push(inner.host)
    inner = inner.over
  }
  const query = hosts.map((host) => `host=${encodeText(host)}`).join('&')
  return `${'tls+'.repeat(hosts.length)}${formatPlain(inner)}${query === '' ? '' : `?${query}`}`
}

function formatPlain(endpoint: Exclude<Endpoint, { kind: 'tls' }>): string {
  switch (endpoint.kind) {
    case 'tcp': {
      // A zone's % is written %25 (RFC 6874 section 2).
      const { address, port } = endpoint
      const host = isIPv6(address) ? `[${address.replace('%', '%25')}]` : address
      return `tcp://${host}:${port}`
    }
    case 'unix':
      return `unix://${encodeText(endpoint.path)}`
    case 'vchan-direct':
      return `vchan://${endpoint.domid}/${endpoint.port}`
    case 'vchan-name':
      return `vchan://${endpoint.name}${endpoint.port === undefined ? '' : `/${endpoint.port}`}`
    case 'unknown':
      return `unknown:${encodeText(endpoint.reason)}`
  }
}

const SCHEME = /^([a-z][a-z0-9+.-]*):(.*)$/is

/** The endpoint that `text` spells, or what is wrong with it. */
export function parseEndpointUri(text: string): Endpoint | EndpointProblem {
  const [, schemes = '', rest = ''] = text.length <= ENDPOINT_CHARS ? (SCHEME.exec(text) ?? []) : []
  const layers = schemes.toLowerCase().split('+')
  const scheme = layers.pop()
  if (scheme === undefined || scheme === '' || layers.some((layer) => layer !== 'tls') || layers.length > TLS_DEPTH) {
    return endpointProblem(`${show(text)} is no endpoint`, `use ${ENDPOINT_URI_FORMS}`)
  }
  const mark = layers.length === 0 ? -1 : rest.indexOf('?')
  const hosts = mark < 0 ? [] : parseHosts(rest.slice(mark + 1))
  const plain = parsePlain(scheme, mark < 0 ? rest : rest.slice(0, mark), text)
  if (hosts === undefined) return endpointProblem(`${show(text)} has a query that is none`, 'the query is host=NAME')
  return 'problem' in plain ? plain : wrap(plain, layers.length, hosts)
}

function parsePlain(scheme: string, rest: string, text: string): Endpoint | EndpointProblem {
  if (scheme === 'unknown') {
    const reason = decodeText(rest)
    return reason === undefined ? notDecodable(text) : unknownEndpoint(reason)
  }
  if (!rest.startsWith('//')) return endpointProblem(`${show(text)} is no endpoint`, `use ${ENDPOINT_URI_FORMS}`)
  const body = rest.slice(2)
  if (scheme === 'tcp') return parseTcp(body)
  if (scheme === 'vchan') return parseVchan(body)
  if (scheme !== 'unix') return endpointProblem(`${show(text)} is no endpoint`, `use ${ENDPOINT_URI_FORMS}`)
  const path = /[?#]/.test(body) ? undefined : decodeText(body)
  return path === undefined ? notDecodable(text) : unixEndpoint(path)
}

function parseTcp(body: string): Endpoint | EndpointProblem {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\][/]*)\]|([^:/\][]*)):([0-9]{1,15})\/?$/.exec(body) ?? []
  const address = bracketed === undefined ? plain : bracketed.replace('%25', '%')
  if (address === undefined || isIPv6(address) !== (bracketed !== undefined)) {
    return endpointProblem(`${show(body)} is no address and port`, 'use tcp://10.0.0.1:80 or tcp://[::1]:80')
  }
  return tcpEndpoint(address, Number(port))
}

function parseVchan(body: string): Endpoint | EndpointProblem {
  const slash = body.indexOf('/')
  const host = slash < 0 ? body : body.slice(0, slash)
  const port = slash < 0 ? undefined : body.slice(slash + 1)
  return /^[0-9]{1,9}$/.test(host) ? vchanDirectEndpoint(Number(host), port) : vchanNameEndpoint(host, port)
}

/** `host=a&host=b`; undefined for anything else. */
function parseHosts(query: string): string[] | undefined {
  const hosts: string[] = []
  for (const pair of query.split('&')) {
    const host = pair.startsWith('host=') ? decodeText(pair.slice('host='.length)) : undefined
    if (host === undefined) return undefined
    hosts.push(host)
  }
  return hosts
}

/** Hosts are the outermost first; what has none of its own takes the name or address below. */
function wrap(plain: Endpoint, layers: number, hosts: readonly string[]): Endpoint | EndpointProblem {
  if (hosts.length > layers) return endpointProblem('more hosts than TLS layers', 'give one host for each tls+')
  let endpoint = plain
  for (let layer = layers - 1; layer >= 0; layer--) {
    const wrapped = tlsEndpoint(hosts[layer] ?? ownName(plain), endpoint)
    if ('problem' in wrapped) return wrapped
    endpoint = wrapped
  }
  return endpoint
}

function ownName(endpoint: Endpoint): string | undefined {
  if (endpoint.kind === 'tcp') return endpoint.address
  return endpoint.kind === 'vchan-name' ? endpoint.name : undefined
}

function decodeText(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const notDecodable = (text: string): EndpointProblem =>
  endpointProblem(`${show(text)} cannot be decoded`, 'write ? and # and what is no ASCII as %XX, in UTF-8')
